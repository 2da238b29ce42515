// axe on each view and what opens in it, with both themes, on a phone and on a desk.

import {accessible, browse, DESKTOP, PHONE, sees} from "../browser.mjs";

const ASK = `#/ask?q=${encodeURIComponent("What does the fox jump over?")}`;
const PAGES = [
	["search, empty", "#/search", ".empty"],
	["search", "#/search?q=bees&rerank=on", ".result"],
	["ask", ASK, ".cite"],
	[
		"ask, source opened",
		ASK,
		".cite",
		async (page) => {
			await page.locator(".cite").first().click();
			await sees(page, "#cited");
		},
	],
	["source", "#/source/notes/bees?start=0&end=4", "#cited"],
	["collections", "#/collections", "tbody tr"],
	["new collection", "#/collections", "tbody tr", (page) => page.getByRole("button", {name: "New collection"}).click()],
	["documents", "#/collections/notes", "tbody tr"],
	["upload", "#/upload", ".drop"],
	["keys", "#/keys", "tbody tr"],
	["new key", "#/keys", "tbody tr", (page) => page.getByRole("button", {name: "New key"}).click()],
	["system", "#/system", ".actor"],
	["charts", "#/charts", "figure"],
];

export default async ({url, token}) => {
	let pages = 0;
	const told = new Set();
	const look = async (page, where) => {
		const found = await accessible(page, where);
		found.told.forEach((one) => told.add(one));
		pages += 1;
	};
	for (const [viewport, size] of [
		[DESKTOP, "desk"],
		[PHONE, "phone"],
	]) {
		for (const scheme of ["light", "dark"]) {
			await browse(
				url,
				async (page) => {
					for (const [name, address, ready, act] of PAGES) {
						await page.goto(`${url}/${address}`);
						await page.reload();
						await sees(page, ready);
						await act?.(page);
						await look(page, `${name}, ${scheme}, ${size}`);
					}
				},
				{viewport, scheme, token},
			);
			await browse(
				url,
				async (page) => {
					await page.goto(url);
					await sees(page, "#credential");
					await look(page, `sign in, ${scheme}, ${size}`);
				},
				{viewport, scheme, expected: [/status of 401/]},
			);
		}
	}
	console.log(`axe: ${pages} pages, no serious or critical finding; lesser ones: ${told.size ? [...told].join("\n") : "none"}`);
};
