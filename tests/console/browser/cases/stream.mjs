import assert from "node:assert/strict";
import {browse, sees} from "../browser.mjs";

export default ({url, token}) =>
	browse(
		url,
		async (page) => {
			await page.goto(`${url}/#/ask?q=${encodeURIComponent("What does the quick brown fox jump over?")}`);
			// The model has not come to an end, and what it has written and proved can be used.
			await sees(page, ".answer[aria-busy=true]", "The quick brown fox jumps over the lazy dog");
			const cite = await sees(page, ".answer[aria-busy=true] .cite");
			assert.equal(await page.locator(".claim").first().textContent(), "The quick brown fox jumps over the lazy dog");
			await cite.click();
			await sees(page, "#cited", "The quick brown fox jumps over the lazy dog");
			await page.getByRole("button", {name: "Stop"}).click();
			await sees(page, ".facts", "Stopped");
			await sees(page, ".answer[aria-busy=false]", "lazy dog");
		},
		{token},
	);
