/** The page's list: what starts, and which part of the document belongs to whom. */
import { Connection } from "./connection.js";
import { showConnection } from "./connection-view.js";
import { byId, element } from "./dom.js";
import { prepareImage } from "./picture.js";
import { Room } from "./room.js";

const ROOMS_EVERY_MS = 4000;
const NAME_KEY = "limpet.name";

const { socketioPath, socketioTransports } = document.documentElement.dataset;

try {
  const { io } = await import(`${socketioPath.replace(/\/$/, "")}/socket.io.esm.min.js`);
  start(new Connection(io, { path: socketioPath, transports: socketioTransports.split(" ") }));
} catch (error) {
  byId("state").dataset.state = "unavailable";
  byId("state").textContent = "Not available";
  byId("join-problem").textContent =
    "The Socket.IO client could not be loaded. Does the server have socketio.serveClient on?";
  throw error;
}

function start(connection) {
  const room = new Room(connection);
  showConnection(connection);
  showLobby(connection, room);
  showComposer(connection, room);
  byId("panel-toggle").addEventListener("click", () => {
    const open = byId("panel").classList.toggle("open");
    byId("panel-toggle").setAttribute("aria-expanded", String(open));
  });
}

function showLobby(connection, room) {
  const name = byId("name");
  const roomName = byId("room");
  name.value = localStorage.getItem(NAME_KEY) ?? "";
  roomName.value = roomOfAddress() ?? "lobby";
  (name.value === "" ? name : roomName).focus({ preventScroll: true });

  byId("join-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const join = byId("join");
    join.disabled = true;
    byId("join-problem").textContent = "";
    try {
      const joined = await room.join({ name: name.value, room: roomName.value });
      localStorage.setItem(NAME_KEY, name.value.trim());
      history.replaceState(null, "", `#${encodeURIComponent(joined)}`);
      byId("room-title").textContent = joined;
      showRoom(true);
    } catch (error) {
      if (error.code === undefined) throw error;
      byId("join-problem").textContent =
        error.code === "unconfirmed" ? "No connection. Try again in a moment." : `Could not join: ${error.message}.`;
    } finally {
      join.disabled = false;
    }
  });

  byId("leave").addEventListener("click", async () => {
    showRoom(false);
    history.replaceState(null, "", location.pathname);
    await room.leave();
    await refreshRooms(connection, choose);
  });

  const choose = (chosen) => {
    roomName.value = chosen;
    if (name.value === "") name.focus();
    else byId("join-form").requestSubmit();
  };
  connection.addEventListener("online", () => void refreshRooms(connection, choose));
  setInterval(() => void refreshRooms(connection, choose), ROOMS_EVERY_MS);
}

/** Null where the address names none, or is not well-formed. */
function roomOfAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

function showRoom(inRoom) {
  byId("lobby").hidden = inRoom;
  byId("conversation").hidden = !inRoom;
  byId("members-card").hidden = !inRoom;
  byId(inRoom ? "text" : "room").focus({ preventScroll: true });
}

async function refreshRooms(connection, choose) {
  if (byId("lobby").hidden || document.hidden || !connection.socket.connected) return;
  let rooms;
  try {
    ({ rooms } = await connection.request("room:list"));
  } catch (error) {
    // The next round asks again.
    if (error.code === "unconfirmed") return;
    throw error;
  }
  const list = byId("rooms");
  const shown = JSON.stringify(rooms);
  byId("no-rooms").hidden = rooms.length > 0;
  // Unchanged, so the focus stays where it is.
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  list.replaceChildren(
    ...rooms.map(({ room, members }) => {
      const button = element(
        "button",
        { type: "button", class: "room-choice", data: { testid: "room-choice", room } },
        element("span", { class: "room-choice-name", text: room }),
        element("span", { class: "count", text: String(members), title: `${members} here` }),
      );
      button.addEventListener("click", () => choose(room));
      return element("li", {}, button);
    }),
  );
}

function showComposer(connection, room) {
  const text = byId("text");
  const conversation = byId("conversation");

  const fit = () => {
    text.style.height = "";
    text.style.height = `${Math.min(140, text.scrollHeight + 2)}px`;
  };
  const submit = () => {
    if (text.value.trim() === "") return;
    room.send({ text: text.value.trim() });
    text.value = "";
    fit();
    text.focus();
  };
  const sendImage = async (file) => {
    try {
      room.send({ image: await prepareImage(file, connection.server?.limits.imageBytes ?? 500_000) });
    } catch (error) {
      room.tell(error.message);
    }
  };

  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  text.addEventListener("input", () => {
    fit();
    room.typing(text.value.trim() !== "");
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  byId("image").addEventListener("change", ({ target }) => {
    const [file] = target.files;
    if (file !== undefined) void sendImage(file);
    target.value = "";
  });
  text.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    if (file === undefined) return;
    event.preventDefault();
    void sendImage(file);
  });
  conversation.addEventListener("dragover", (event) => {
    event.preventDefault();
    conversation.classList.add("dropping");
  });
  conversation.addEventListener("dragleave", () => conversation.classList.remove("dropping"));
  conversation.addEventListener("drop", (event) => {
    event.preventDefault();
    conversation.classList.remove("dropping");
    const file = [...event.dataTransfer.files].find(({ type }) => type.startsWith("image/"));
    if (file !== undefined) void sendImage(file);
  });
}
