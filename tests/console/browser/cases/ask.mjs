import assert from "node:assert/strict";
import {browse, sees} from "../browser.mjs";

export default ({url, token}) =>
	browse(
		url,
		async (page, {asked}) => {
			await page.goto(`${url}/#/ask`);
			await sees(page, ".empty", "with the proof");
			await page.keyboard.press("/");
			await page.keyboard.type("What does the fox jump over?");
			await page.keyboard.press("Enter");
			const cite = await sees(page, ".answer .cite");
			await page.waitForSelector(".answer[aria-busy=false]");
			assert.match(await page.locator(".answer").textContent(), /The quick brown fox jumps over the lazy dog\./);
			assert.equal(await page.locator(".claim").first().textContent(), "The quick brown fox jumps over the lazy dog.");
			await sees(page, ".facts", "1 verified citation");
			const answer = asked.find((request) => request.url().endsWith("/v1/answers"));
			assert.equal(JSON.parse(answer.postData()).stream, true);
			assert.match((await answer.response()).headers()["content-type"], /event-stream/);
			// What is said aloud once it is there.
			await sees(page, "#announce", "lazy dog");

			await cite.focus();
			assert.ok(await page.locator(".claim.lit").count(), "the claim is shown together with its citation");
			await page.keyboard.press("Enter");
			const cited = await sees(page, "#source #cited");
			assert.equal(await cited.textContent(), "The quick brown fox jumps over the lazy dog.");
			// 12,000 bytes in, and yet on the screen.
			const box = await cited.boundingBox();
			assert.ok(box.y > 0 && box.y < 900, `the passage is at ${box.y}`);
			assert.ok(await page.locator("#source pre").evaluate((text) => text.textContent.startsWith("Nothing of note")));
			assert.equal(await page.evaluate(() => document.activeElement.id), "source-title");
			await page.keyboard.press("Escape");
			assert.ok(await page.locator("#source").isHidden());
			assert.ok(await page.evaluate(() => document.activeElement.classList.contains("cite")), "focus is back where it was");

			// The same place as a page of its own.
			await page.goto(await page.locator(".result .open").evaluate((link) => link.href));
			await page.reload();
			assert.match(await (await sees(page, "main #cited")).textContent(), /lazy dog/);

			await page.goto(`${url}/#/ask?q=${encodeURIComponent("Who was the king of Denmark in 1600?")}`);
			await sees(page, ".notice", "The documents do not answer this");
		},
		{token},
	);
