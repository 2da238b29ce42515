import assert from "node:assert/strict";
import {browse, drop, sees} from "../browser.mjs";

export default ({url, token}) =>
	browse(
		url,
		async (page) => {
			await page.goto(`${url}/#/collections`);
			await sees(page, ".empty", "No collection yet");
			await page.getByRole("link", {name: "Upload files"}).click();
			await sees(page, "main p", "There is no collection yet: drop files here");
			await page.getByLabel("Name of the new collection").fill("animals");
			await drop(page, ".drop", [
				{name: "fox.md", text: "# Fox\n\nThe quick brown fox jumps over the lazy dog."},
				{name: "bees.txt", text: "Bees dance."},
				{name: "broken.pdf", text: "no PDF at all", type: "application/pdf"},
				{name: "song.mp3", text: "la", type: "audio/mpeg"},
			]);
			await sees(page, ".file:has-text('fox.md') .badge.good", "searchable");
			await sees(page, ".file:has-text('bees.txt') .badge.good", "searchable");
			await sees(page, ".file:has-text('broken.pdf') .reason", "not a readable PDF");
			await sees(page, ".file:has-text('song.mp3') .reason", "audio/mpeg");
			await sees(page, "#announce", "2 files searchable, 2 failed");
			// By the button too; the same once more is no news.
			await page.locator("#files").setInputFiles([{name: "bees.txt", mimeType: "text/plain", buffer: Buffer.from("Bees dance.")}]);
			await sees(page, ".file:has-text('bees.txt') .badge.good", "unchanged");
			await page.getByRole("link", {name: "Documents of animals"}).click();
			await sees(page, "td", "broken.pdf");
			await page.goto(`${url}/#/search?q=which+animal+is+lazy`);
			await sees(page, ".result", "lazy dog");
			assert.equal(await page.locator(".result .open").first().textContent(), "Fox");
		},
		{token, expected: [/status of 400/, /status of 415/]},
	);
