// The table of metrics, from the catalog.
import { metricCatalog } from "../dist/telemetry/catalog.js";

const code = (text) => `\`${text}\``;
const cell = (text) => text.replaceAll("|", "\\|");

const labelsOf = ({ labels, perWorker }) => {
  const own = Object.entries(labels).map(([label, values]) =>
    values === null ? code(label) : `${code(label)}: ${values.map(code).join(", ")}`,
  );
  return [...own, ...(perWorker ? [code("worker")] : [])].join("<br>");
};

const table = () =>
  [
    ["Metric", "Type", "Unit", "Labels", "Measured in", "Meaning"],
    ["---", "---", "---", "---", "---", "---"],
    ...metricCatalog.map((metric) => [
      code(metric.name),
      metric.type,
      metric.unit,
      labelsOf(metric),
      metric.measuredIn,
      metric.help,
    ]),
  ]
    .map((cells) => `| ${cells.map(cell).join(" | ")} |`)
    .join("\n");

export const blocks = [{ file: "docs/metrics.md", name: "metrics", render: table }];
