import {get, path, write} from "../api.js";
import {el} from "../dom.js";
import {time} from "../format.js";
import {badge, button, check, confirm, copyButton, dialog, empty, field, heading, notice, select, table} from "../parts.js";

export const title = "Keys";

const SCOPES = [
	["search", "search: searches, answers, reading documents"],
	["ingest", "ingest: writing collections and documents"],
	["admin", "admin: everything, keys included"],
];
const OVERLAPS = [
	["0", "ends at once"],
	["3600", "goes on for an hour"],
	["86400", "goes on for a day"],
	["604800", "goes on for a week"],
];

// The one time that a secret is seen.
function showOnce({name, secret}) {
	const text = el("input", {id: "secret", readonly: true, value: secret, spellcheck: "false", onfocus: () => text.select()});
	dialog(
		`The key ${name}`,
		[
			notice("warn", "Copy it now: it is shown this once, and kept nowhere."),
			field("Secret", text),
			el("div", {class: "row"}, copyButton(secret)),
			el("p", {class: "hint"}, "Send it as Authorization: Bearer."),
		],
		{close: "I have it"},
	);
}

function create(then) {
	const expires = el("input", {type: "date", name: "expires"});
	dialog(
		"New key",
		[
			field("Name", el("input", {name: "name", required: true, maxlength: 128, autocomplete: "off"}), "For people: what it is used for."),
			el(
				"fieldset",
				{},
				el("legend", {}, "What it may do"),
				SCOPES.map(([value, text]) => check(text, {name: "scope", value, checked: value === "search"})),
			),
			field(
				"Only these collections",
				el("input", {name: "collections", spellcheck: "false", autocomplete: "off"}),
				"Names with commas between; empty: all. Not with admin.",
			),
			field("Ends on", expires, "Empty: never by itself."),
		],
		{
			action: "Create",
			done: async (data) => {
				const collections = data
					.get("collections")
					.split(",")
					.map((name) => name.trim())
					.filter(Boolean);
				const body = {name: data.get("name"), scopes: data.getAll("scope")};
				if (collections.length) body.collections = collections;
				if (data.get("expires")) body.expires_at = new Date(`${data.get("expires")}T00:00:00Z`).toISOString();
				const key = await write("POST", path("keys"), body);
				then();
				setTimeout(() => showOnce(key));
			},
		},
	);
}

const rotate = (key, then) =>
	dialog(
		`Replace ${key.name}`,
		[el("p", {}, "A new key may do the same as this one."), field("The old one", select(OVERLAPS, "3600", {name: "overlap"}))],
		{
			action: "Replace",
			done: async (data) => {
				const fresh = await write("POST", path("keys", key.id, "rotate"), {overlap_seconds: Number(data.get("overlap"))});
				then();
				setTimeout(() => showOnce(fresh));
			},
		},
	);

const revoke = (key, then) =>
	confirm(`Revoke ${key.name}?`, "Whoever uses it is refused from now on. This cannot be undone.", "Revoke", async () => {
		await write("DELETE", path("keys", key.id));
		await then();
	});

function life({revoked_at, expires_at}) {
	if (revoked_at) return badge("bad", "revoked");
	if (expires_at && new Date(expires_at) < new Date()) return badge("plain", "expired");
	return [badge("good", "valid"), expires_at && [" ends ", time(expires_at)]];
}

export async function show(main, {query, signal}) {
	const place = el("section", {"aria-label": "Keys"}, el("p", {class: "dim"}, "Reading …"));
	const list = async () => {
		const after = query.get("after");
		const {data: keys, has_more, last_id} = await get(`${path("keys")}?limit=50${after ? `&after=${encodeURIComponent(after)}` : ""}`, signal);
		if (!keys.length) {
			place.replaceChildren(
				empty(
					"No key yet",
					"A key lets a program in, with the rights you choose. Its secret is shown once.",
					button("New key", () => create(list), {class: "main"}),
				),
			);
			return;
		}
		const over = (key) => key.revoked_at || (key.expires_at && new Date(key.expires_at) < new Date());
		place.replaceChildren(
			table(
				"Keys",
				[
					{title: "Name", kind: "lead", cell: ({name, prefix}) => [name, el("div", {class: "dim small"}, el("code", {}, `mrag_${prefix}_…`))]},
					{
						title: "May",
						cell: ({scopes, collections}) => [scopes.join(", "), collections && el("div", {class: "dim small"}, `in ${collections.join(", ")}`)],
					},
					{title: "State", cell: life},
					{title: "Made", cell: ({created_at}) => time(created_at)},
					{title: "Used", cell: ({last_used_at}) => (last_used_at ? time(last_used_at) : "never")},
					{
						title: "",
						kind: "actions",
						cell: (key) =>
							over(key)
								? ""
								: [
										button("Replace", () => rotate(key, list), {"aria-label": `Replace ${key.name}`}),
										button("Revoke", () => revoke(key, list), {class: "danger", "aria-label": `Revoke ${key.name}`}),
									],
					},
				],
				keys,
			),
			...(has_more ? [el("a", {href: `#/keys?after=${encodeURIComponent(last_id)}`}, "Older keys")] : []),
		);
	};
	main.append(
		heading(
			"Keys",
			button("New key", () => create(list), {class: "main"}),
		),
		place,
	);
	await list();
}
