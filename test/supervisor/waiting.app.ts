/** An app that never says it has started. */
export default (): Promise<never> => new Promise(() => undefined);
