import {all, path, write} from "../api.js";
import {announce, el} from "../dom.js";
import {count, plural, time} from "../format.js";
import {button, confirm, dialog, empty, field, heading, notice, select, table} from "../parts.js";
import {follow} from "../stream.js";

export const title = "Collections";

const STRATEGIES = [
	["structure", "Structure of the document"],
	["tokens", "Windows of tokens"],
	["sentence_window", "Sentences with those around"],
	["code", "Source code by its syntax"],
];

export const address = (name) => `#/collections/${encodeURIComponent(name)}`;

export const cut = ({strategy, max_tokens, overlap_tokens, window_sentences, context}) =>
	[
		strategy.replace("_", " "),
		`up to ${max_tokens} tokens`,
		strategy === "sentence_window" ? `${window_sentences} sentences around` : `overlap ${overlap_tokens}`,
		context === "llm" && "situated by the chat model",
	]
		.filter(Boolean)
		.join(", ");

const number = (name, value, min, max) => el("input", {type: "number", name, value, min, max, required: true, inputmode: "numeric"});

// What a strategy does not use the API does not show.
const DEFAULTS = {strategy: "structure", max_tokens: 256, overlap_tokens: 32, window_sentences: 3};

const chunking = (now = DEFAULTS) =>
	el(
		"fieldset",
		{},
		el("legend", {}, "How documents are cut"),
		field("Along", select(STRATEGIES, now.strategy, {name: "strategy"})),
		el(
			"div",
			{class: "row"},
			field("Largest chunk, in tokens", number("max_tokens", now.max_tokens, 32, 8192)),
			field("Overlap", number("overlap_tokens", now.overlap_tokens, 0, 4096)),
			field("Sentences around", number("window_sentences", now.window_sentences ?? DEFAULTS.window_sentences, 1, 10), "Of sentences only."),
		),
	);

function chosen(data) {
	const whole = (name) => Number(data.get(name));
	const strategy = data.get("strategy");
	return {
		strategy,
		max_tokens: whole("max_tokens"),
		overlap_tokens: whole("overlap_tokens"),
		...(strategy === "sentence_window" && {window_sentences: whole("window_sentences")}),
	};
}

export function create(then) {
	const name = el("input", {name: "name", required: true, maxlength: 128, pattern: "[A-Za-z0-9._\\-]+", autocomplete: "off", spellcheck: "false"});
	dialog(
		"New collection",
		[
			field("Name", name, "Letters, digits, -, _ and ."),
			field("Description", el("input", {name: "description", maxlength: 1024})),
			field(
				"Language",
				el("input", {name: "language", value: "en", maxlength: 32, required: true}),
				"A code or an English name: which word forms count as the same.",
			),
			el("details", {}, el("summary", {}, "Chunking"), chunking()),
		],
		{
			action: "Create",
			done: async (data) => {
				const body = {name: data.get("name"), description: data.get("description"), language: data.get("language"), chunking: chosen(data)};
				await then(await write("POST", path("collections"), body));
			},
		},
	);
}

// Changes description and chunking; new chunking cuts every document anew, which `place` shows.
export function change(collection, place, signal, then) {
	dialog(
		`Settings of ${collection.name}`,
		[
			field("Description", el("input", {name: "description", value: collection.description, maxlength: 1024})),
			chunking(collection.chunking),
			el("p", {class: "hint"}, "Changed chunking cuts all documents anew in the background. They are found as they were until then."),
		],
		{
			done: async (data) => {
				const wanted = chosen(data);
				const same = Object.entries(wanted).every(([name, value]) => collection.chunking[name] === value);
				const {job} = await write("PATCH", path("collections", collection.name), {
					description: data.get("description"),
					...(same ? {} : {chunking: wanted}),
				});
				await then();
				if (job) progress(job, place, signal).then(then);
			},
		},
	);
}

export async function progress(job, place, signal) {
	const bar = el("progress", {max: 1, value: 0, "aria-label": "Progress"}),
		told = el("span");
	place.replaceChildren(notice("plain", "Cutting documents anew ", bar, " ", told));
	const last = await follow(job, signal, ({progress: {done, total}}) => {
		bar.max = Math.max(1, total);
		bar.value = done;
		told.textContent = `${count(done)} of ${count(total)}`;
	});
	place.replaceChildren(notice("plain", `Cutting documents anew: ${last.status}.`));
}

export function remove(collection, then) {
	confirm(
		`Delete ${collection.name}?`,
		`${plural(collection.documents, "searchable document")} and all their chunks will be gone. This cannot be undone.`,
		"Delete for good",
		async () => {
			const {deleted} = await write("DELETE", path("collections", collection.name));
			announce(`${collection.name} is deleted with ${plural(deleted.documents, "document")}`);
			await then();
		},
	);
}

export async function show(main, {signal}) {
	const said = el("div"),
		place = el("section", {"aria-label": "Collections"}, el("p", {class: "dim"}, "Reading …"));
	const made = ({name}) => {
		location.hash = address(name);
	};
	main.append(
		heading(
			"Collections",
			button("New collection", () => create(made), {class: "main"}),
		),
		said,
		place,
	);
	const list = async () => {
		const collections = await all(path("collections"), signal);
		if (!collections.length) {
			place.replaceChildren(
				empty(
					"No collection yet",
					"A collection is a set of documents that are searched together. Upload some files, and there is one.",
					el("a", {href: "#/upload", class: "main"}, "Upload files"),
					button("New collection", () => create(made)),
				),
			);
			return;
		}
		place.replaceChildren(
			table(
				"Collections",
				[
					{
						title: "Name",
						kind: "lead",
						cell: ({name, description}) => [el("a", {href: address(name)}, name), description && el("div", {class: "dim small"}, description)],
					},
					{title: "Documents", kind: "number", cell: ({documents}) => count(documents)},
					{title: "Chunks", kind: "number", cell: ({chunks}) => count(chunks)},
					{title: "Language", cell: ({language}) => language},
					{title: "Cut", cell: (collection) => cut(collection.chunking)},
					{title: "Changed", cell: ({updated_at}) => time(updated_at)},
					{
						title: "",
						kind: "actions",
						cell: (collection) => [
							button("Settings", () => change(collection, said, signal, list), {"aria-label": `Settings of ${collection.name}`}),
							button("Delete", () => remove(collection, list), {class: "danger", "aria-label": `Delete ${collection.name}`}),
						],
					},
				],
				collections,
			),
		);
	};
	await list();
}
