/** Small helpers; text always goes in as text, so nothing a member sends becomes markup. */

export const byId = (id) => document.getElementById(id);

/** `text`, `class`, `data` (an object) and children; every other key is set as a property. */
export function element(tag, { text, class: className, data, ...properties } = {}, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  if (className !== undefined) created.className = className;
  if (text !== undefined) created.textContent = text;
  Object.assign(created.dataset, data);
  created.append(...children);
  return created;
}

/** The same colour for the same name, everywhere. */
export function tint(node, name) {
  let hash = 0x811c9dc5;
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193) >>> 0;
  node.style.setProperty("--hue", String(hash % 360));
  return node;
}
