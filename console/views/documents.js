import {get, path, write} from "../api.js";
import {announce, el, every} from "../dom.js";
import {count, plural, time} from "../format.js";
import {button, confirm, empty, heading, notice, select, state, table, trouble} from "../parts.js";
import {sourceLink} from "../source.js";
import {address, change, cut, remove} from "./collections.js";
import {uploader} from "./upload.js";

export const title = "Documents";

const STATES = [
	["", "All"],
	["failed", "Failed"],
	["queued", "Waiting"],
	["running", "Being worked on"],
	["ready", "Searchable"],
];
const PAGE = 25;

// Takes up what has failed: by job, since that is how it came.
async function retry(jobs, again) {
	for (const job of jobs) await write("POST", path("jobs", job, "retry"));
	announce("Taken up again");
	await again();
}

function rows(collection, documents, place, again) {
	const failed = (error) => place.prepend(trouble(error));
	const drop = (document) =>
		confirm(`Delete ${document.external_id}?`, "It will be found no more. This cannot be undone.", "Delete for good", async () => {
			await write("DELETE", path("collections", collection, "documents", document.external_id));
			await again();
		});
	return table(
		"Documents",
		[
			{
				title: "Document",
				kind: "lead",
				cell: (document) => {
					const name = document.title || document.external_id;
					return [
						document.chunks > 0 ? sourceLink({collection, ...document}, {}, name) : el("span", {}, name),
						document.title && el("div", {class: "dim small"}, document.external_id),
						document.error && el("p", {class: "reason"}, document.error),
						document.warnings.map((warning) => el("p", {class: "reason warning"}, warning)),
					];
				},
			},
			{title: "State", cell: ({status}) => state(status, status === "running" ? "busy" : undefined)},
			{title: "Chunks", kind: "number", cell: ({chunks}) => count(chunks)},
			{title: "Type", cell: ({media_type}) => media_type},
			{title: "Changed", cell: ({updated_at}) => time(updated_at)},
			{
				title: "",
				kind: "actions",
				cell: (document) => [
					document.status === "failed" &&
						document.job &&
						button("Retry", () => retry([document.job], again).catch(failed), {"aria-label": `Retry ${document.external_id}`}),
					button("Delete", () => drop(document), {class: "danger", "aria-label": `Delete ${document.external_id}`}),
				],
			},
		],
		documents,
	);
}

function pages(name, query, page) {
	const to = (changes) => {
		const next = new URLSearchParams(query);
		for (const [key, value] of Object.entries(changes))
			if (value) next.set(key, value);
			else next.delete(key);
		return `${address(name)}${next.size ? `?${next}` : ""}`;
	};
	return [
		query.get("after") && el("a", {class: "quiet", href: to({after: null})}, "Newest"),
		page.has_more && el("a", {class: "quiet", href: to({after: page.last_id})}, "Older"),
	].filter(Boolean);
}

export async function show(main, {names: [name], query, signal}) {
	const said = el("div"),
		facts = el("p", {class: "dim"}),
		place = el("section", {"aria-label": "Documents"}, el("p", {class: "dim"}, "Reading …"));
	const tools = el("div", {class: "row"}),
		paging = el("nav", {class: "row", "aria-label": "Pages"});
	const status = select(STATES, query.get("status") ?? "", {
		id: "status",
		onchange: () => {
			location.hash = `${address(name)}${status.value ? `?status=${status.value}` : ""}`;
		},
	});
	main.append(
		heading(name, tools),
		facts,
		said,
		el(
			"details",
			{id: "add"},
			el("summary", {}, "Add documents"),
			uploader(
				() => name,
				signal,
				() => look(),
			),
		),
		el("div", {class: "row"}, el("label", {for: "status"}, "Show"), status),
		place,
		paging,
	);
	let drawn = "";
	const look = async () => {
		const collection = await get(path("collections", name), signal);
		facts.textContent = `${plural(collection.documents, "searchable document")}, ${plural(collection.chunks, "chunk")}, ${collection.language}; ${cut(collection.chunking)}. ${collection.description}`;
		tools.replaceChildren(
			el("a", {href: `#/search?${new URLSearchParams({collection: name})}`}, "Search in it"),
			button("Settings", () => change(collection, said, signal, look)),
			button(
				"Delete",
				() =>
					remove(collection, () => {
						location.hash = "#/collections";
					}),
				{class: "danger"},
			),
		);
		const filter = new URLSearchParams({limit: PAGE, order: "desc"});
		for (const key of ["status", "after"]) if (query.get(key)) filter.set(key, query.get(key));
		const page = await get(`${path("collections", name, "documents")}?${filter}`, signal);
		// Nothing is drawn anew under somebody's hands unless it has changed.
		if (JSON.stringify(page) === drawn) return page;
		drawn = JSON.stringify(page);
		const failures = page.data.filter((document) => document.status === "failed");
		const jobs = [...new Set(failures.map(({job}) => job).filter(Boolean))];
		const all = failures.length > 1 && button("Retry all of these", () => retry(jobs, look).catch((error) => said.replaceChildren(trouble(error))));
		place.replaceChildren(
			...[
				failures.length > 0 && notice("warn", `${plural(failures.length, "document")} here could not be made searchable; each says why. `, all),
				page.data.length > 0
					? rows(name, page.data, place, look)
					: query.get("status")
						? empty("None in this state", "That is all of them.", el("a", {href: address(name)}, "Show all documents"))
						: empty("No document yet", "Drop files above: each is searchable a moment later."),
			].filter(Boolean),
		);
		paging.replaceChildren(...pages(name, query, page));
		return page;
	};
	const first = await look();
	main.querySelector("#add").open = first.data.length === 0 && !query.get("status");
	// While there is work one sees it go on; else now and then.
	await every(2000, signal, () =>
		look().catch((error) => {
			if (!signal.aborted) said.replaceChildren(trouble(error));
		}),
	);
}
