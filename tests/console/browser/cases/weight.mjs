// What a first visit costs, and a second one.

import assert from "node:assert/strict";
import {browse, sees} from "../browser.mjs";

const own = (asked, url) => asked.filter((request) => new URL(request.url()).pathname === "/" || request.url().startsWith(`${url}/console/`));

export default ({url, token}) =>
	browse(
		url,
		async (page, {asked}) => {
			await page.goto(url, {waitUntil: "networkidle"});
			await sees(page, "h1", "Search");
			let plain = 0,
				sent = 0;
			const files = own(asked, url);
			for (const request of files) {
				plain += (await (await request.response()).body()).length;
				sent += (await request.sizes()).responseBodySize;
			}
			console.log(`console: ${files.length} requests, ${(plain / 1000).toFixed(1)} kB, ${(sent / 1000).toFixed(1)} kB as sent (gzip)`);
			assert.ok(plain < 105_000 && sent < 42_000);
			// A second visit asks for the page alone; the rest is kept for good.
			asked.length = 0;
			const session = await page.context().newCDPSession(page);
			await session.send("Network.enable");
			const fetched = [];
			session.on("Network.responseReceived", ({response}) => {
				if (!response.fromDiskCache && response.url.startsWith(`${url}/console/`)) fetched.push(response.url);
			});
			await page.goto("about:blank");
			asked.length = 0;
			await page.goto(url, {waitUntil: "networkidle"});
			await sees(page, "h1", "Search");
			assert.deepEqual(fetched, []);
		},
		{token},
	);
