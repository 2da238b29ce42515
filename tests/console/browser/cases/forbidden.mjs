import {browse, sees} from "../browser.mjs";

export default ({url, key}) =>
	browse(
		url,
		async (page) => {
			await page.goto(`${url}/#/search?q=bees`);
			await sees(page, ".result", "Bees dance");
			for (const view of ["keys", "system", "charts"]) {
				await page.goto(`${url}/#/${view}`);
				await sees(page, ".notice.plain", "This is not for your credential. The server says: the credential lacks the scope");
			}
			await page.goto(`${url}/#/collections/notes`);
			await page.getByRole("button", {name: "Delete fox"}).click();
			await page.getByRole("button", {name: "Delete for good"}).click();
			await sees(page, "dialog .notice", "`ingest`");
			await page.getByRole("button", {name: "Cancel"}).click();
			await sees(page, "tr", "Fox");
			await page.goto(`${url}/#/keys`);
			await page.getByRole("button", {name: "Use another credential"}).click();
			await sees(page, "h1", "Who are you?");
		},
		{token: key, expected: [/status of 40[13]/]},
	);
