import {Failure, all, authorization, path, write} from "../api.js";
import {announce, el} from "../dom.js";
import {bytes, plural} from "../format.js";
import {badge, field, heading, select, state} from "../parts.js";
import {follow} from "../stream.js";
import {address} from "./collections.js";

export const title = "Upload";

// Files on their way at once: a browser has six connections to a server, and each file takes one until it is done.
const AT_ONCE = 3;

// Sends one file; `sent` hears how much of it is on its way, which `fetch` would not tell.
const send = (collection, file, signal, sent) =>
	new Promise((resolve, reject) => {
		const form = new FormData();
		form.append("file", file, file.name);
		const call = new XMLHttpRequest();
		call.open("POST", path("collections", collection, "documents"));
		for (const [name, value] of Object.entries(authorization())) call.setRequestHeader(name, value);
		call.responseType = "json";
		call.upload.onprogress = ({loaded, total}) => sent(loaded / total);
		call.onload = () => (call.status < 300 ? resolve(call.response) : reject(new Failure(call.status, call.response?.error)));
		call.onerror = () => reject(new Failure(0, {message: "the server cannot be reached, or refused the file before it was sent"}));
		call.onabort = () => reject(new Failure(0, {message: "stopped"}));
		signal.addEventListener("abort", () => call.abort());
		call.send(form);
	});

async function one(collection, file, row, signal) {
	row.tell("sending", "busy", 0);
	const receipt = await send(collection, file, signal, (share) => row.tell("sending", "busy", share));
	if (receipt.rejected.length) throw new Failure(400, {message: receipt.rejected[0].error});
	if (!receipt.job) return row.tell("unchanged: it is searchable already", "good", 1);
	row.tell("waiting", "busy", null);
	const job = await follow(receipt.job, signal, ({status}) => row.tell(status === "queued" ? "waiting" : "being read", "busy", null));
	if (job.status === "succeeded") return row.tell("searchable", "good", 1);
	const document = await fetch(path("collections", collection, "documents", file.name), {headers: authorization(), signal}).then((response) =>
		response.json(),
	);
	throw new Failure(400, {message: document.error ?? job.error ?? job.status});
}

function line(file) {
	const bar = el("progress", {max: 1, "aria-label": `Progress of ${file.name}`}),
		told = el("span");
	const node = el("li", {class: "file"}, el("span", {class: "name"}, file.name), el("span", {class: "dim small"}, bytes(file.size)), bar, told);
	return {
		node,
		tell(text, kind, share) {
			told.replaceChildren(badge(kind, text));
			if (share === null) bar.removeAttribute("value");
			else bar.value = share;
			bar.hidden = kind !== "busy";
		},
		fail(message) {
			bar.hidden = true;
			told.replaceChildren(state("failed"), el("p", {class: "reason"}, message));
		},
	};
}

// Where files are dropped or chosen; `target` names the collection, and may make it. `changed` hears of each that is done.
export function uploader(target, signal, changed = () => {}) {
	const list = el("ul", {class: "bare files", "aria-label": "Files"});
	const waiting = [];
	let working = 0,
		done = 0,
		failed = 0;
	const next = async () => {
		if (working >= AT_ONCE || !waiting.length || signal.aborted) return;
		working += 1;
		const {collection, file, row} = waiting.shift();
		try {
			await one(collection, file, row, signal);
			done += 1;
		} catch (error) {
			failed += 1;
			row.fail(error.message);
		}
		working -= 1;
		changed();
		if (!working && !waiting.length) announce(`${plural(done, "file")} searchable${failed ? `, ${failed} failed` : ""}`);
		next();
	};
	const take = async (files) => {
		const rows = [...files].map((file) => ({file, row: line(file)}));
		list.prepend(...rows.map(({row}) => row.node));
		rows.forEach(({row}) => row.tell("waiting", "busy", null));
		try {
			const collection = await target();
			waiting.push(...rows.map((one) => ({collection, ...one})));
			for (let at = 0; at < AT_ONCE; at += 1) next();
		} catch (error) {
			rows.forEach(({row}) => row.fail(error.message));
		}
	};
	const input = el("input", {
		type: "file",
		multiple: true,
		class: "hidden",
		id: "files",
		onchange: () => {
			take(input.files);
			input.value = "";
		},
	});
	const zone = el(
		"div",
		{class: "drop"},
		el("p", {}, el("strong", {}, "Drop files here")),
		el("label", {for: "files", class: "main"}, "Choose files"),
		input,
		el(
			"p",
			{class: "dim small"},
			"PDF, Word, PowerPoint, Excel, OpenDocument, EPUB, e-mail, HTML, Markdown, CSV, JSON, source code and plain text, up to 16 MiB each. A file of the same name is replaced.",
		),
	);
	// Whatever is dropped on the page is meant for here, and never opened in its place.
	const over = (event) => {
		event.preventDefault();
		zone.classList.toggle("over", event.type === "dragover");
	};
	for (const name of ["dragover", "dragleave", "drop"]) addEventListener(name, over, {signal});
	addEventListener(
		"drop",
		(event) => {
			if (zone.isConnected && event.dataTransfer.files.length) take(event.dataTransfer.files);
		},
		{signal},
	);
	return el("div", {}, zone, list);
}

export async function show(main, {query, signal}) {
	main.append(heading("Upload"));
	const names = (await all(path("collections"), signal)).map(({name}) => name);
	const fresh = el("input", {value: "docs", maxlength: 128, pattern: "[A-Za-z0-9._\\-]+", spellcheck: "false", autocomplete: "off"});
	const newName = field("Name of the new collection", fresh, "Letters, digits, -, _ and .; it is made with the first file.");
	const wanted = query.get("collection") ?? names[0] ?? "";
	const open = el("p");
	const into = select([...names.map((name) => [name, name]), ["", "A new collection"]], wanted, {onchange: () => shown()});
	const shown = () => {
		newName.hidden = into.value !== "";
		open.replaceChildren(into.value ? el("a", {href: address(into.value)}, `Documents of ${into.value}`) : "");
	};
	const target = async () => {
		if (into.value) return into.value;
		if (!fresh.reportValidity() || !fresh.value) throw new Failure(400, {message: "the collection needs a name"});
		const {name} = await write("POST", path("collections"), {name: fresh.value});
		into.prepend(el("option", {value: name}, name));
		into.value = name;
		shown();
		return name;
	};
	shown();
	main.append(
		...[!names.length && el("p", {}, "There is no collection yet: drop files here, and there will be one.")].filter(Boolean),
		el("div", {class: "row"}, field("Into", into), newName),
		uploader(target, signal),
		open,
	);
}
