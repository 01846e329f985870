#!/usr/bin/env node
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`shardctl: needs Node 20.19 or later, this is ${process.version}; install a newer Node`);
  process.exit(2);
}
const { main } = await import('../dist/src/cli/main.js');
await main(process.argv.slice(2));
