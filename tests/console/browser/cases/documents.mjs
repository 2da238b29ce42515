import assert from "node:assert/strict";
import {browse, sees} from "../browser.mjs";

export default ({url, token}) =>
	browse(
		url,
		async (page) => {
			await page.goto(`${url}/#/collections/notes`);
			await sees(page, ".notice", "2 documents here could not be made searchable");
			await sees(page, "tr:has-text('fox') .reason", "cancelled");
			await sees(page, "tr:has-text('broken.pdf') .reason", "not a readable PDF");
			await page.getByRole("button", {name: "Retry fox"}).click();
			await sees(page, "tr:has-text('fox') .badge", "ready");
			await sees(page, "p", "1 searchable document");
			// What stays damaged fails again, and says so again.
			await page.getByRole("button", {name: "Retry broken.pdf"}).click();
			await sees(page, "#announce", "Taken up again");
			await sees(page, "tr:has-text('broken.pdf') .reason", "not a readable PDF");
			await page.getByLabel("Show").selectOption("failed");
			await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
			assert.match(page.url(), /status=failed/);
			await page.getByRole("button", {name: "Delete broken.pdf"}).click();
			await page.getByRole("button", {name: "Delete for good"}).click();
			await sees(page, ".empty", "None in this state");
			await page.getByRole("link", {name: "Show all documents"}).click();
			await page.getByRole("link", {name: "fox"}).click();
			await sees(page, "#source pre", "A fox jumps.");
		},
		{token},
	);
