/** Who is in the room: a snapshot from the server, and the joins and leaves since. */
import { byId, element, tint } from "./dom.js";

export class Members {
  #byId = new Map();
  #ownId = "";
  /** Members beyond the ones the server lists by name. */
  #unlisted = 0;
  /** One list for each answer that is on its way: the joins and leaves that overtake it. */
  #overtaking = new Set();

  clear() {
    this.#byId.clear();
    this.#unlisted = 0;
  }

  /** This page is in, under a new id. */
  entered(own) {
    this.#byId.delete(this.#ownId);
    this.#ownId = own.id;
    this.#byId.set(own.id, own);
    this.#render();
  }

  /** Takes the answer of `ask`, { members, count }, as the whole, and applies to it what overtook it. */
  async load(ask, isCurrent) {
    const overtaking = [];
    this.#overtaking.add(overtaking);
    try {
      const { members, count } = await ask();
      if (!isCurrent()) return;
      this.#byId = new Map(members.map((member) => [member.id, member]));
      this.#unlisted = count - members.length;
      for (const change of overtaking) change();
      this.#render();
    } finally {
      this.#overtaking.delete(overtaking);
    }
  }

  /** True when somebody of the same name was there already: most likely the same person, back from a lost connection. */
  joined(member) {
    const namesake = [...this.#byId.values()].some(({ id, name }) => name === member.name && id !== member.id);
    this.#apply(() => this.#byId.set(member.id, member));
    return namesake;
  }

  left(member) {
    this.#apply(() => this.#byId.delete(member.id));
  }

  #apply(change) {
    for (const list of this.#overtaking) list.push(change);
    change();
    this.#render();
  }

  #render() {
    const members = [...this.#byId.values()].sort((a, b) => a.name.localeCompare(b.name));
    const count = members.length + this.#unlisted;
    byId("member-count").textContent = String(count);
    const workers = new Set(members.map(({ node, worker }) => `${node}/${worker}`)).size;
    byId("room-sub").textContent = `${count} here, on ${workers} ${workers === 1 ? "worker" : "workers"}`;
    byId("members").replaceChildren(...members.map((member) => this.#item(member)));
    if (this.#unlisted > 0) {
      byId("members").append(element("li", { class: "member muted", text: `and ${this.#unlisted} more` }));
    }
  }

  #item({ id, name, worker }) {
    const label = element("span", { class: "member-name", text: name });
    if (id === this.#ownId) label.append(element("span", { class: "you", text: " (you)" }));
    return element(
      "li",
      { class: "member", data: { testid: "member", name, worker: String(worker) } },
      tint(element("span", { class: "avatar", text: initials(name), ariaHidden: "true" }), name),
      label,
      element("span", { class: "tag", text: `worker ${worker}` }),
    );
  }
}

const initials = (name) =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? "")
    .join("")
    .toUpperCase();
