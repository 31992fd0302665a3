// Makes sure of the programs the tests use. As root on Debian it installs what is missing; elsewhere it says, in a sentence for each, how to get
// it. It never fails: a test whose program is missing fails by itself and says so.
//
//     node tools/ensure-tools.mjs
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");

const programs = [
  { name: "nginx", present: () => answers("nginx", ["-v"]), packages: ["nginx-light"] },
  { name: "chromium", present: () => existsSync("/usr/bin/chromium"), packages: ["chromium"] },
  { name: "prometheus", present: () => answers("prometheus", ["--version"]), packages: ["prometheus"] },
  { name: "promtool", present: () => answers("promtool", ["--version"]), packages: ["prometheus"] },
  { name: "docker-compose", present: () => answers("docker-compose", ["version"]), packages: ["docker-compose"] },
  { name: "redis-server", present: () => answers("redis-server", ["--version"]), packages: ["redis-server"] },
  { name: "redis-cli", present: () => answers("redis-cli", ["--version"]), packages: ["redis-tools"] },
  { name: "haproxy", present: () => answers("haproxy", ["-v"]), packages: ["haproxy"] },
  { name: "openssl", present: () => answers("openssl", ["version"]), packages: ["openssl"] },
  {
    name: "python3 with venv",
    present: () => answers("python3", ["-c", "import venv, ensurepip"]),
    packages: ["python3", "python3-venv"],
  },
];

installPrograms();
installPythonClient();
installK6();

function installPrograms() {
  const missing = programs.filter(({ present }) => !present());
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((program) => program.packages))];
  if (process.getuid?.() === 0 && existsSync("/etc/debian_version")) {
    console.log(`installing ${packages.join(" ")}`);
    // RUNLEVEL keeps the packages' services from being started.
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    const options = { env, stdio: ["ignore", "ignore", "inherit"] };
    spawnSync("apt-get", ["-q", "update"], options);
    spawnSync("apt-get", ["-q", "install", "-y", "--no-install-recommends", ...packages], options);
  }
  for (const { name, present, packages } of missing) {
    if (!present())
      console.log(`${name} is missing: on Debian, apt-get install --no-install-recommends ${packages.join(" ")}`);
  }
}

// The Socket.IO client in Python, in an environment of its own, at the versions of test/clients/requirements.txt.
function installPythonClient() {
  const requirements = path.join(root, "test/clients/requirements.txt");
  const venv = path.join(root, ".tools/venv");
  const stamp = path.join(venv, "requirements.txt");
  const wanted = readFileSync(requirements, "utf8");
  if (
    existsSync(stamp) &&
    readFileSync(stamp, "utf8") === wanted &&
    answers(path.join(venv, "bin/python"), ["-c", "import socketio"])
  )
    return;
  try {
    console.log("installing the Python client into .tools/venv");
    execFileSync("python3", ["-m", "venv", "--clear", venv], { stdio: ["ignore", "ignore", "inherit"] });
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements];
    execFileSync(path.join(venv, "bin/python"), pip, { stdio: ["ignore", "ignore", "inherit"] });
    writeFileSync(stamp, wanted);
  } catch (error) {
    console.log(
      `the Python client could not be installed (${error.message}): python3 -m venv .tools/venv && .tools/venv/bin/pip install -r test/clients/requirements.txt`,
    );
  }
}

function installK6() {
  const installer = path.join(root, "tools/ensure-k6.mjs");
  if (existsSync(installer)) spawnSync(process.execPath, [installer], { stdio: ["ignore", "ignore", "inherit"] });
}

function answers(program, args) {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}
