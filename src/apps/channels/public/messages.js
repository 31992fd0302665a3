/** The list of messages. Keeps the reader's place: it follows new ones only when the end was in view. */
import { element, tint } from "./dom.js";

const KEPT = 300;
const GROUP_WITHIN_MS = 120_000;
const STATUS = { sending: "Sending", waiting: "Waiting for the connection" };
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export class Messages {
  #list;
  #last = null;
  #wasAtEnd = true;

  constructor(list) {
    this.#list = list;
  }

  clear() {
    while (this.#list.firstChild !== null) this.#remove(this.#list.firstChild);
    this.#last = null;
  }

  /** `content` is { text } or { image: Blob }; `from` is a member, or null for one's own. Returns the item. */
  add({ from, at, content }) {
    const author = from?.id ?? "";
    const follows = this.#last?.author === author && at - this.#last.at < GROUP_WITHIN_MS;
    const item = element("li", { class: "message", data: { testid: "message" } });
    item.classList.toggle("mine", from === null);
    item.classList.toggle("follows", follows);
    const meta = element("p", { class: "message-meta" });
    if (from !== null) {
      meta.append(
        tint(element("span", { class: "message-from", text: from.name }), from.name),
        element("span", { class: "tag", text: `worker ${from.worker}` }),
      );
    }
    meta.append(element("time", { text: clock.format(at), dateTime: new Date(at).toISOString() }));
    const bubble = "text" in content ? textBubble(content.text) : this.#picture(content.image, from?.name ?? "you");
    item.append(meta, bubble, element("p", { class: "message-note", data: { testid: "note" } }));
    this.#append(item, from === null);
    this.#last = { author, at };
    return item;
  }

  /** `status`: "sending", "waiting", "sent", or "failed" with a reason and what "Send again" does. */
  setStatus(item, status, reason = "", retry = null) {
    item.dataset.status = status;
    const note = item.querySelector(".message-note");
    const atEnd = this.#isAtEnd();
    note.replaceChildren(status === "failed" ? reason : (STATUS[status] ?? ""));
    if (retry !== null) note.append(againButton(retry));
    if (atEnd) this.#toEnd();
  }

  note(text, { warn = false } = {}) {
    this.#append(element("li", { class: warn ? "event event-warn" : "event", text }), false);
    this.#last = null;
  }

  #picture(blob, name) {
    const url = URL.createObjectURL(blob);
    const image = element("img", { src: url, alt: `Image from ${name}`, data: { testid: "picture" } });
    image.addEventListener("load", () => {
      if (this.#wasAtEnd) this.#toEnd();
    });
    return element("a", { class: "bubble picture", href: url, target: "_blank", data: { url } }, image);
  }

  #append(item, always) {
    this.#wasAtEnd = always || this.#isAtEnd();
    this.#list.append(item);
    if (this.#list.childElementCount > KEPT) this.#remove(this.#list.firstChild);
    if (this.#wasAtEnd) this.#toEnd();
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < 80;
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  #remove(item) {
    const picture = item.querySelector?.(".picture");
    if (picture) URL.revokeObjectURL(picture.dataset.url);
    item.remove();
  }
}

function againButton(retry) {
  const again = element("button", { type: "button", class: "link-button", text: "Send again" });
  again.addEventListener("click", retry);
  return again;
}

const textBubble = (text) => element("p", { class: "bubble", text, data: { testid: "text-bubble" } });
