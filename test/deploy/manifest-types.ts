/** Checks Kubernetes manifests against the types of Kubernetes' API, as the TypeScript compiler sees them: unknown, missing and mistyped fields. */
import path from "node:path";
import ts from "typescript";

/** A manifest as far as every one has it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

/** In kubernetes-types the API groups are folders, the core group among them. */
const MODULES: Readonly<Record<string, string>> = {
  v1: "core/v1",
  "apps/v1": "apps/v1",
  "policy/v1": "policy/v1",
  "networking.k8s.io/v1": "networking/v1",
};
const FILE = path.join(import.meta.dirname, "manifest-under-test.ts");

/** Whether the manifest is of Kubernetes itself, not of an extension. */
export const isTyped = ({ apiVersion }: Manifest): boolean => apiVersion in MODULES;

/** @returns what is wrong with them, a sentence each */
export function complaintsOf(manifests: readonly Manifest[]): string[] {
  const text = manifests
    .map((manifest, i) => {
      const type = `import("kubernetes-types/${MODULES[manifest.apiVersion] ?? ""}").${manifest.kind}`;
      return `export const manifest${i}: ${type} = ${JSON.stringify(manifest)};`;
    })
    .join("\n");
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    lib: ["lib.es2022.d.ts"],
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
  };
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (name) => name === FILE || disk.fileExists(name),
    getSourceFile: (name, ...rest) =>
      name === FILE ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022) : disk.getSourceFile(name, ...rest),
  };
  return ts
    .getPreEmitDiagnostics(ts.createProgram([FILE], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}
