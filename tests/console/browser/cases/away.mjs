import assert from "node:assert/strict";
import {browse, sees} from "../browser.mjs";

export default ({url, token}) =>
	browse(
		url,
		async (page, {context}) => {
			await page.goto(`${url}/#/system`);
			await sees(page, ".badge.good", "All is well");
			await context.setOffline(true);
			// Long enough for a click to come before it tries by itself.
			await sees(page, "#connection .notice", /the server cannot be reached. Trying again in ([6-9]|\d\d) s/);
			await context.setOffline(false);
			await page.getByRole("button", {name: "Try now"}).click();
			await page.locator("#connection .notice").waitFor({state: "detached"});
			await sees(page, ".badge.good", "All is well");

			// A server with too much to do says when to come again.
			let refusals = 0;
			await page.route("**/v1/search", (route) => {
				refusals += 1;
				return refusals > 2
					? route.continue()
					: route.fulfill({status: 503, headers: {"retry-after": "1"}, json: {error: {message: "too much is under way", code: "overloaded"}}});
			});
			const began = Date.now();
			await page.goto(`${url}/#/search?q=bees`);
			await sees(page, "#connection .notice", "too much is under way. Trying again in 1 s");
			await sees(page, ".result", "Bees dance");
			assert.ok(Date.now() - began >= 1900, "it waited as long as it was asked to");
			assert.equal(refusals, 3);
		},
		{token, expected: [/ERR_INTERNET_DISCONNECTED/, /status of 503/]},
	);
