/**
 * Preloaded into a child (`node --import`), and so into each of its threads: one byte is appended to the file `SHARDCTL_MESSAGES` for each
 * message that a thread sends to another.
 */
import { appendFileSync } from 'node:fs';
import { MessagePort } from 'node:worker_threads';

const file = process.env.SHARDCTL_MESSAGES as string;
const { postMessage } = MessagePort.prototype;
MessagePort.prototype.postMessage = function (this: MessagePort, ...args: Parameters<typeof postMessage>) {
  appendFileSync(file, '.');
  postMessage.apply(this, args);
};
