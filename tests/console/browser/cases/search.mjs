import assert from "node:assert/strict";
import {browse, sees} from "../browser.mjs";

const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);

export default ({url, token}) =>
	browse(
		url,
		async (page) => {
			await page.goto(url);
			await sees(page, "h1", "Search");
			await page.locator("h1").click();
			await page.keyboard.press("/");
			assert.equal(await focused(page), "query");
			await page.keyboard.type("where are flowers told by bees");
			await page.keyboard.press("Enter");
			await sees(page, ".result", "Bees dance to tell where flowers are.");
			await sees(page, ".badge", "complete");
			assert.equal(await page.locator(".result").first().locator("mark").first().textContent(), "Bees");
			assert.equal(await focused(page), "query");
			await page.keyboard.press("ArrowDown");
			assert.equal(await focused(page), "Bees");
			await page.keyboard.press("ArrowDown");
			assert.notEqual(await focused(page), "Bees");
			await page.keyboard.press("ArrowUp");
			await page.keyboard.press("Enter");
			assert.equal(await (await sees(page, "#cited")).textContent(), "Bees dance to tell where flowers are.");
			await page.keyboard.press("Escape");
			assert.equal(await focused(page), "Bees");

			// Bytes are not characters: a passage behind umlauts.
			await page.goto(`${url}/#/search?q=ants+weight&collection=notes&mode=lexical`);
			await (await sees(page, ".result .open", "ants/äö.txt")).click();
			assert.match(await (await sees(page, "#cited")).textContent(), /^Ameisen tragen das Fünfzigfache\. Ants carry fifty times their weight\.$/);

			// The address is the search; asked again it is cached.
			await page.reload();
			await sees(page, ".badge", "from the cache");
			// A stage that is not there, and what took its place.
			await page.goto(`${url}/#/search?q=bees&rerank=on`);
			await sees(page, ".notice.warn", "reranker: it is not configured; the fused order was kept");
			await page.goto(`${url}/#/search?q=bees&filters=${encodeURIComponent("{nonsense")}`);
			await sees(page, ".notice.bad", "the filter is not JSON");
			await page.goto(`${url}/#/search?q=bees&filters=${encodeURIComponent('{"type":"eq","key":"$title","value":"Nothing"}')}`);
			await sees(page, ".empty", "Nothing was found");
		},
		{token},
	);
