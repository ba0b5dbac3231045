// node cluster.mjs SERVER: runs a server in as many processes as WORKERS says, behind one port.
import cluster from "node:cluster";
import path from "node:path";
import { pathToFileURL } from "node:url";

const workers = Number(process.env.WORKERS ?? 2);
if (cluster.isPrimary && workers > 1) {
  for (let i = 0; i < workers; i++) cluster.fork();
  process.on("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers)) worker.kill();
    process.exit(0);
  });
} else {
  await import(pathToFileURL(path.resolve(process.argv[2])).href);
}
