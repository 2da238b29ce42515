import assert from "node:assert/strict";
import {browse, sees} from "../browser.mjs";

export default ({url, token}) =>
	browse(
		url,
		async (page) => {
			await page.goto(`${url}/#/ask?q=${encodeURIComponent("What does the fox jump over?")}&rerank=on`);
			await sees(page, ".notice.warn", "reranker");
			await page.waitForSelector(".answer[aria-busy=false]");
			await page.goto(`${url}/#/search?q=lazy`);
			await sees(page, ".result");
			await page.goto(`${url}/#/charts`);
			await sees(page, "figure .legend", "reranker");
			for (const title of ["Search latency", "Answer latency", "Requests", "Degraded responses", "Turned away"]) {
				await page.getByRole("img", {name: title}).waitFor();
			}
			assert.match(await page.getByRole("img", {name: "Answer latency"}).getAttribute("aria-label"), /p50 [\d.]+ m?s, p95 [\d.]+ m?s/);
			const figure = page.locator("figure", {hasText: "Answer latency"});
			await figure.locator("summary").focus();
			await page.keyboard.press("Enter");
			await figure
				.locator("td", {hasText: /\d m?s/})
				.first()
				.waitFor();
		},
		{token},
	);
