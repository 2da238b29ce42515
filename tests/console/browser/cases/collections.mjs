import {browse, sees} from "../browser.mjs";

export default ({url, token}) =>
	browse(
		url,
		async (page) => {
			await page.goto(`${url}/#/collections`);
			await sees(page, "tr:has-text('notes')", "About animals");
			await page.getByRole("button", {name: "New collection"}).click();
			const name = page.getByLabel("Name");
			await name.fill("notes");
			await page.getByRole("button", {name: "Create"}).click();
			await sees(page, "dialog .notice.bad", "exists already");
			await name.fill("plans");
			await page.getByText("Chunking").click();
			await page.getByLabel("Along").selectOption("sentence_window");
			await page.getByRole("button", {name: "Create"}).click();
			await sees(page, "h1", "plans");
			await sees(page, "main p", "sentence window, up to 256 tokens, 3 sentences around");

			// Other chunking cuts the documents anew, and one sees it.
			await page.goto(`${url}/#/collections/notes`);
			await page.getByRole("button", {name: "Settings"}).click();
			await page.getByLabel("Largest chunk").fill("64");
			await page.getByLabel("Description").fill("Smaller pieces");
			await page.getByRole("button", {name: "Save"}).click();
			await sees(page, ".notice", "Cutting documents anew: succeeded");
			await sees(page, "main p", "up to 64 tokens");

			await page.goto(`${url}/#/collections`);
			await page.getByRole("button", {name: "Delete plans"}).click();
			await page.keyboard.press("Escape");
			await sees(page, "tr", "plans");
			await page.getByRole("button", {name: "Delete plans"}).click();
			await page.getByRole("button", {name: "Delete for good"}).click();
			await page.locator("tr", {hasText: "plans"}).waitFor({state: "detached"});
		},
		{token, expected: [/status of 409/]},
	);
