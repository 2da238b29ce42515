// Server-sent events by `fetch`: an `EventSource` cannot send a credential.

import {Failure, path, request} from "./api.js";
import {pause} from "./dom.js";

// The events of a response as {event, data, id}; ends when the response does.
export async function* events(response) {
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let text = "";
	try {
		for (let part = await reader.read(); !part.done; part = await reader.read()) {
			text = (text + part.value).replaceAll("\r\n", "\n");
			for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
				const event = parse(text.slice(0, end));
				text = text.slice(end + 2);
				if (event) yield event;
			}
		}
	} finally {
		reader.cancel().catch(() => {});
	}
}

function parse(block) {
	const fields = {};
	for (const line of block.split("\n")) {
		const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
		if (name) fields[name] = name === "data" && name in fields ? `${fields.data}\n${value}` : value;
	}
	return fields.data === undefined ? null : {event: fields.event ?? "message", id: fields.id, data: JSON.parse(fields.data)};
}

// Tells `changed` each state of a job; the last one, once it is over. Goes on where it was when the stream breaks.
export async function follow(job, signal, changed) {
	for (let last = null; !signal?.aborted;) {
		const headers = last ? {"last-event-id": last} : {};
		const response = await request("GET", `${path("jobs", job)}/events`, {headers, signal, patient: true});
		if (response.status === 204) break; // it was over when the stream broke
		try {
			for await (const {event, data, id} of events(response)) {
				if (event === "error") throw new Failure(500, data.error);
				last = id ?? last;
				changed(data);
				if (event === "done") return data;
			}
		} catch (error) {
			if (error instanceof Failure || signal?.aborted) throw error;
			// Cut off: it is asked for again.
		}
		await pause(500 + Math.random() * 1000, signal);
	}
	const state = await (await request("GET", path("jobs", job), {signal, patient: true})).json();
	changed(state);
	return state;
}
