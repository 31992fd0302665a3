/**
 * One room: joins it, joins again after each reconnect unless the server has kept its place, and sends in order. What is written while the connection is
 * away waits; what was sent but not confirmed is left to the reader, since sending it again could show it twice.
 */
import { byId } from "./dom.js";
import { Members } from "./members.js";
import { Messages } from "./messages.js";
import { TypingSender, TypingView } from "./typing.js";

const REFRESH_EVERY_MS = 10_000;
const RETRY_AFTER_MS = 1000;

export class Room {
  #connection;
  #messages = new Messages(byId("messages"));
  #members = new Members();
  #typingView = new TypingView(byId("typing"));
  #typingSender;
  #identity = null;
  /** The socket id that is in the room now; null while there is none. */
  #joinedAs = null;
  /** The socket id that was in the room when the connection broke. */
  #lostAs = null;
  #entering = false;
  #waiting = [];
  #sending = false;
  #refreshTimer;

  constructor(connection) {
    this.#connection = connection;
    this.#typingSender = new TypingSender((typing) => {
      if (this.#joinedAs === null) return;
      void this.#quietly(connection.request("room:typing", { room: this.room, typing }));
    });
    const { socket } = connection;
    connection.addEventListener("online", () => void this.#rejoin());
    socket.on("disconnect", () => this.#onDisconnect());
    socket.on(
      "message",
      this.#mine(({ from, at, text }) => this.#show(from, at, { text })),
    );
    socket.on(
      "image",
      this.#mine(({ from, at, type, image }) => this.#show(from, at, { image: new Blob([image], { type }) })),
    );
    socket.on(
      "typing",
      this.#mine(({ from, typing }) => this.#typingView.set(from, typing)),
    );
    socket.on(
      "member:joined",
      this.#mine(({ member }) => this.#onJoined(member)),
    );
    socket.on(
      "member:left",
      this.#mine(({ member }) => this.#onLeft(member)),
    );
    setInterval(() => {
      if (!document.hidden) void this.#refresh();
    }, REFRESH_EVERY_MS);
  }

  get room() {
    return this.#identity?.room ?? null;
  }

  /** Returns the room's name as the server has it; throws RequestError. */
  async join(identity) {
    this.#messages.clear();
    this.#members.clear();
    this.#lostAs = null;
    this.#identity = identity;
    try {
      await this.#enter();
    } catch (error) {
      this.#identity = null;
      throw error;
    }
    this.#messages.note(`You joined ${this.room}.`);
    return this.room;
  }

  async leave() {
    const { room } = this;
    this.#typingSender.stop();
    this.#identity = null;
    this.#joinedAs = null;
    this.#lostAs = null;
    this.#waiting = [];
    this.#typingView.clear();
    await this.#quietly(this.#connection.request("room:leave", { room }));
  }

  typing(hasText) {
    this.#typingSender.input(hasText);
  }

  /** `content` is { text } or { image: Blob }. */
  send(content) {
    this.#typingSender.stop();
    const item = this.#messages.add({ from: null, at: Date.now(), content });
    this.#queue({ item, content });
  }

  tell(text) {
    this.#messages.note(text, { warn: true });
  }

  #queue(outgoing) {
    this.#messages.setStatus(outgoing.item, this.#joinedAs === null ? "waiting" : "sending");
    this.#waiting.push(outgoing);
    void this.#flush();
  }

  async #flush() {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#joinedAs !== null && this.#waiting.length > 0) await this.#deliver(this.#waiting.shift());
    this.#sending = false;
  }

  async #deliver(outgoing) {
    const { item, content } = outgoing;
    const { room } = this;
    this.#messages.setStatus(item, "sending");
    try {
      if ("text" in content) await this.#connection.request("room:publish", { room, text: content.text });
      else await this.#connection.request("room:image", { room, image: await content.image.arrayBuffer() });
      this.#messages.setStatus(item, "sent");
    } catch (error) {
      const reason = error.code === "unconfirmed" ? "Sent, but not confirmed." : `Not sent: ${error.message}.`;
      this.#messages.setStatus(item, "failed", reason, () => this.#queue(outgoing));
    }
  }

  async #enter() {
    this.#entering = true;
    try {
      const { room, member } = await this.#connection.request("room:join", this.#identity);
      // Left while the answer was on its way.
      if (this.#identity === null) return;
      this.#identity = { ...this.#identity, room };
      this.#joinedAs = member.id;
      this.#members.entered(member);
    } finally {
      this.#entering = false;
    }
    void this.#refresh();
    void this.#flush();
  }

  async #rejoin() {
    if (this.#identity === null || this.#joinedAs !== null || this.#entering) return;
    const { id, recovered } = this.#connection.socket;
    if (recovered && id === this.#lostAs) {
      this.#joinedAs = id;
      this.#messages.note("You are back, and have missed nothing.");
      void this.#refresh();
      void this.#flush();
      return;
    }
    try {
      await this.#enter();
      this.#messages.note("You are back.");
    } catch (error) {
      if (this.#connection.socket.id !== id) return;
      this.tell(`Could not join again: ${error.message}.`);
      setTimeout(() => void this.#rejoin(), RETRY_AFTER_MS);
    }
  }

  #onDisconnect() {
    if (this.#joinedAs !== null) this.tell("The connection is gone. Coming back…");
    this.#lostAs = this.#joinedAs ?? this.#lostAs;
    this.#joinedAs = null;
    this.#typingView.clear();
  }

  #onJoined(member) {
    // A member of a worker that died never said goodbye; its return is a good moment to ask.
    if (this.#members.joined(member)) this.#refreshSoon();
    this.#messages.note(`${member.name} joined on worker ${member.worker}.`);
  }

  #onLeft(member) {
    this.#members.left(member);
    this.#typingView.set(member, false);
    this.#messages.note(`${member.name} left.`);
  }

  #show(from, at, content) {
    this.#typingView.set(from, false);
    this.#messages.add({ from, at, content });
  }

  #refreshSoon() {
    clearTimeout(this.#refreshTimer);
    this.#refreshTimer = setTimeout(() => void this.#refresh(), 300 + Math.random() * 700);
  }

  async #refresh() {
    const { room } = this;
    const joinedAs = this.#joinedAs;
    if (joinedAs === null) return;
    await this.#quietly(
      this.#members.load(
        () => this.#connection.request("room:members", { room }),
        () => this.#joinedAs === joinedAs && this.room === room,
      ),
    );
  }

  /** Handlers of pushes: only for the room that is open now. */
  #mine(handler) {
    return (payload) => {
      if (payload.room === this.room) handler(payload);
    };
  }

  /** For requests whose loss shows by itself: the connection is gone, or the room was left meanwhile. */
  async #quietly(request) {
    try {
      await request;
    } catch (error) {
      if (error.code !== "unconfirmed" && error.code !== "not_a_member") throw error;
    }
  }
}
