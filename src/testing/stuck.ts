/** Preloaded into a child (`node --import`): no file is ever flushed, as on a disk that has stopped to answer. */
import fs from 'node:fs';

const probe = await fs.promises.open(process.execPath);
Object.getPrototypeOf(probe).sync = () => new Promise(() => setInterval(() => {}, 60_000));
await probe.close();
