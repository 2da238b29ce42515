import assert from "node:assert/strict";
import {browse, sees} from "../browser.mjs";

export default ({url, token, postgres}) =>
	browse(
		url,
		async (page) => {
			await page.goto(`${url}/#/system`);
			await sees(page, ".badge.good", "All is well");
			const names = await page.locator(".actor strong").allTextContents();
			assert.deepEqual(names.slice(0, 3), ["postgres", "embedder", "store"]);
			await sees(page, "td", "database");
			await sees(page, ".meter", "work");
			await sees(page, ".card", "writer");
			assert.equal(await page.locator("[data-actor=postgres] dd").nth(2).textContent(), "0");
			process.kill(postgres, "SIGKILL");
			await page.waitForFunction(() =>
				/^[1-9].*(error|stop|kill|panic)/.test(document.querySelector("[data-actor=postgres] dl").lastChild.lastChild.textContent),
			);
			await sees(page, "[data-actor=postgres] .reason");
			await sees(page, "[data-actor=postgres] .badge.good", "running");
			await sees(page, ".badge.good", "All is well");
			await page.getByRole("button", {name: "Pause updates"}).click();
			await sees(page, "button", "Go on");
		},
		{token, expected: [/status of 50[0-9]/]},
	);
