/** The methods of the object's class, where the object itself has others in their place. */
export function plain<T extends object>(object: T): T {
  return Object.getPrototypeOf(object) as T;
}
