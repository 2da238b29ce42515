import {get} from "../api.js";
import {announce, el, every} from "../dom.js";
import {bytes, count, milliseconds, plural} from "../format.js";
import {badge, button, heading, state, table} from "../parts.js";

export const title = "System";

const meter = (label, value, most) =>
	el(
		"div",
		{class: "meter"},
		el("span", {}, label),
		el("meter", {min: 0, max: Math.max(1, most), high: most * 0.8, value, "aria-label": label}),
		el("span", {class: "number"}, `${count(value)} of ${count(most)}`),
	);

const facts = (pairs) =>
	el(
		"dl",
		{class: "facts"},
		pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
	);

const causes = (counts) =>
	Object.entries(counts)
		.filter(([, times]) => times > 0)
		.map(([cause, times]) => `${times} × ${cause}`)
		.join(", ");

const actor = (one) =>
	el(
		"li",
		{class: `actor ${one.state}`, "data-actor": one.name},
		el("div", {class: "row"}, el("strong", {}, one.name), state(one.state, one.state === "running" ? "good" : undefined)),
		facts([
			["mailbox", count(one.mailbox)],
			["in flight", count(one.in_flight)],
			["restarts", one.restarts ? `${one.restarts} (${causes(one.restarts_by_cause)})` : "0"],
			...(one.abandoned ? [["abandoned threads", count(one.abandoned)]] : []),
		]),
		one.last_error && el("p", {class: "reason"}, one.last_error),
	);

function breakers(all) {
	return table(
		"Circuit breakers",
		[
			{title: "Circuit", kind: "lead", cell: ({name}) => name},
			{title: "State", cell: ({state: now}) => state(now)},
			{title: "Failures", kind: "number", cell: ({failures}) => count(failures)},
			{title: "Next try", cell: ({retry_in_ms}) => (retry_in_ms === null ? "–" : `in ${milliseconds(retry_in_ms)}`)},
		],
		all,
	);
}

// Pools as the API has them: numbers are facts, and what else is there is said as it is.
function pool(name, one) {
	const pairs = Object.entries(one).filter(([, value]) => value !== null && typeof value !== "object" && typeof value !== "string");
	return el(
		"div",
		{class: "card"},
		el("h3", {}, name, " ", one.state && state(one.state)),
		facts(pairs.map(([key, value]) => [key.replaceAll("_", " "), typeof value === "number" ? count(value) : String(value)])),
	);
}

function pools(all) {
	if (!all) return el("p", {class: "dim"}, "The database's owner does not answer at the moment.");
	return el(
		"div",
		{class: "grid"},
		pool("writer", all.writer),
		Object.entries(all.replicas).map(([name, one]) => pool(name, one)),
	);
}

function draw(place, now) {
	const {actors, cache, admission, build, config} = now;
	const open = now.breakers.filter((one) => one.state !== "closed"),
		down = actors.filter((one) => one.state !== "running");
	const well = !open.length && !down.length;
	place.replaceChildren(
		el(
			"p",
			{class: "facts"},
			well
				? badge("good", "All is well")
				: badge(
						"bad",
						[down.length && plural(down.length, "actor is down", "actors are down"), open.length && plural(open.length, "open circuit")]
							.filter(Boolean)
							.join(", "),
					),
		),
		el("h2", {}, "Supervision tree"),
		el("p", {class: "dim"}, "In the order they start; they stop in the reverse. Each owns one thing that nobody else touches."),
		el(
			"div",
			{class: "tree"},
			el("div", {class: "root"}, el("strong", {}, "supervisor"), ` ${plural(actors.length, "actor")}`),
			el("ul", {class: "bare"}, actors.map(actor)),
		),
		el("h2", {}, "Circuit breakers"),
		now.breakers.length ? breakers(now.breakers) : el("p", {class: "dim"}, "Nothing here is behind one."),
		el("h2", {}, "Entrance"),
		el("p", {class: "dim"}, "What is worked on at once, of what may be."),
		el(
			"div",
			{class: "card"},
			admission.lanes.map(({lane, in_flight, limit}) => meter(lane, in_flight, limit)),
			el(
				"p",
				{class: "dim small"},
				"Turned away since the start: ",
				Object.entries(admission.shed)
					.map(([kind, times]) => `${kind} ${count(times)}`)
					.join(", "),
			),
		),
		el("h2", {}, "Connections to the database"),
		pools(now.pools),
		el("h2", {}, "Cache and build"),
		el(
			"div",
			{class: "grid"},
			el(
				"div",
				{class: "card"},
				el("h3", {}, "Cache"),
				facts([
					["entries", count(cache.entries)],
					["holds", bytes(cache.bytes)],
					["Redis", cache.shared ? (cache.shared_is_away ? "away" : "in use") : "not configured"],
				]),
			),
			el(
				"div",
				{class: "card"},
				el("h3", {}, "Build"),
				facts([
					["version", build.version],
					["answers by", build.generator],
					["embedder", `${build.embedder.model}, ${build.embedder.dimensions}`],
					["settings", `generation ${config.generation}`],
				]),
				config.pending_restart.length > 0 && el("p", {class: "reason"}, `Waits for a restart: ${config.pending_restart.join(", ")}`),
			),
		),
	);
	return well;
}

export async function show(main, {signal}) {
	const place = el("section", {"aria-label": "State of the server"}, el("p", {class: "dim"}, "Reading …"));
	let live = true,
		well = true;
	const hold = button("Pause updates", () => {
		live = !live;
		hold.textContent = live ? "Pause updates" : "Go on";
	});
	main.append(heading("System", hold), place);
	const look = async () => {
		const now = await get("/v1/system", signal);
		const is = draw(place, now);
		if (is !== well) announce(is ? "All is well again" : "Something is down");
		well = is;
	};
	await look();
	await every(1000, signal, () => (live ? look() : null));
}
