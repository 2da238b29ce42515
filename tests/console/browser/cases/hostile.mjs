import assert from "node:assert/strict";
import {browse, drop, sees} from "../browser.mjs";

export default ({url, token, attack}) =>
	browse(
		url,
		async (page) => {
			const shown = async (where) => {
				assert.ok((await page.locator("body").innerText()).includes(attack), `${where} shows it as text`);
				assert.equal(await page.evaluate(() => window.pwned), undefined, where);
				assert.equal(await page.locator("main img, aside img, main script, aside script, [onerror]").count(), 0, where);
				assert.equal(await page.locator("a[href^='javascript']").count(), 0, where);
			};
			await page.goto(`${url}/#/search?q=password+of+the+fox`);
			await (await sees(page, ".result .open")).click();
			await sees(page, "#cited");
			await shown("search");
			await page.goto(`${url}/#/ask?q=${encodeURIComponent("What is the password of the fox?")}`);
			await (await sees(page, ".answer .cite")).click();
			await sees(page, "#cited");
			await shown("ask");
			await page.goto(await page.locator(".result .open").evaluate((link) => link.href));
			await sees(page, "main #cited");
			await shown("source");
			for (const view of ["collections", "collections/hostile", "keys"]) {
				await page.goto(`${url}/#/${view}`);
				await sees(page, "tbody tr");
				await shown(view);
			}
			await page.goto(`${url}/#/upload?collection=hostile`);
			await sees(page, ".drop");
			await drop(page, ".drop", [{name: `${attack.replaceAll("/", "")}.txt`, text: attack}]);
			await sees(page, ".file .badge.good", "searchable");
			assert.equal(await page.evaluate(() => window.pwned), undefined);
			assert.equal(await page.locator("main img, main script").count(), 0);
			// An address that somebody else made.
			await page.goto(`${url}/#/search?q=${encodeURIComponent(attack)}`);
			await sees(page, ".result");
			await shown("the query");
			await page.goto(`${url}/#/source/${encodeURIComponent(attack)}/${encodeURIComponent(attack)}`);
			await sees(page, ".notice.bad");
			await shown("what does not exist");
			// Were there a way in, the policy would still refuse it.
			const refused = await page.evaluate(() => {
				try {
					document.createElement("div").innerHTML = "<b>x</b>";
					return false;
				} catch {
					return true;
				}
			});
			assert.ok(refused, "markup cannot be made of text");
		},
		{token, expected: [/status of 404/, /policy: require-trusted-types-for/, /TrustedHTML/]},
	);
