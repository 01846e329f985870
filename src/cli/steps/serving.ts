/** One process that serves: opens the home, listens, and ends in good order. */
import { once } from 'node:events';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { displayText } from '../../core/display.ts';
import { messageOf } from '../../core/errors.ts';
import { warnings } from '../../core/events.ts';
import { mostOpenFiles } from '../../core/open-files.ts';
import { DEFAULT_CONFIG } from '../../home/config.ts';
import { readIdentity } from '../../home/identity.ts';
import { Index } from '../../index/index.ts';
import { Access } from '../../serve/access/access.ts';
import { FileHashes } from '../../serve/hashes/file-hashes.ts';
import type { HashingTurn } from '../../serve/hashes/hashing.ts';
import { ServedHome } from '../../serve/home/served-home.ts';
import { logAnswer } from '../../serve/http/access-log.ts';
import { passes } from '../../serve/http/gate.ts';
import { Listener } from '../../serve/http/listener.ts';
import { serverOf } from '../../serve/http/server.ts';
import { HotAnswers } from '../../serve/paths/hot-answers.ts';
import { ServeMetrics } from '../../serve/status/serve-metrics.ts';
import type { Siblings } from '../../serve/status/siblings.ts';
import type { Context } from '../command-line/context.ts';
import { repositoriesNamed } from '../command-line/repositories-named.ts';
import { openPeers } from '../session/peers.ts';
import { settingsOfReadable } from '../session/session.ts';
import { settingsIn } from '../session/settings.ts';
import { AccessLogFile } from './access-log-file.ts';
import type { ServeOptions } from './serve-options.ts';
import { statusSource } from './status-source.ts';

/** Answers under way may take this long when the server is to stop. */
const DRAIN_MS = 30_000;
const MOST_CONNECTIONS = 16_384;
/** File descriptors that are left for the home. */
const OTHER_FILES = 512;
/** Where the process may have hardly more files open than the home needs. */
const FEW_CONNECTIONS = 64;
/**
 * By how much the heap may grow over what is in use before it is cleaned: V8 takes up to 300 %, which came to 311 MB with 10,000
 * connections that had asked for a listing each, where 25 % came to 215 MB.
 */
const HEAP_GROWTH = '--heap-growing-percent=25';

export interface ServingProcess {
  readonly options: ServeOptions;
  /** Aborted when it is to stop. */
  readonly signal: AbortSignal;
  /** Called when it answers, with its URLs. */
  readonly onReady: (urls: readonly string[]) => void;
  /** Calls `reload` whenever files are to be read again. */
  readonly onReload: (reload: () => void) => void;
  /** The workers beside this one; absent where it serves alone. */
  readonly siblings?: Siblings;
  /** When this one of the workers may hash files; absent where it serves alone. */
  readonly hashingTurn?: () => Promise<HashingTurn>;
}

/** Resolves when it has stopped. */
export async function serveHere(context: Context, serving: ServingProcess): Promise<void> {
  const { options, signal, onReady, onReload, siblings, hashingTurn } = serving;
  const { args, home, reporter, output, now } = context;
  const warn = warnings((event) => reporter.event(event));
  setFlagsFromString(HEAP_GROWTH);
  // Read before the home is opened: mistakes in them are found at once.
  const [certificate, tokens] = [options.readCertificate(), options.readTokens()];
  let config = await settingsOfReadable(context);
  const metrics = new ServeMetrics();
  const mirror = await ServedHome.open({
    openIndex: () => Index.open(home.index, { readOnly: true }),
    openPeers: async () => {
      config = (await settingsIn(context)) ?? DEFAULT_CONFIG;
      return await openPeers(context, config);
    },
    home,
    names: args.positionals,
    cache: home.cache,
    onTrouble: warn,
    onReplicaTrouble: (message, cause) => {
      metrics.incident('replica-failed');
      warn(message, cause);
    },
  });
  try {
    const first = mirror.acquire();
    try {
      repositoriesNamed(first.index.repositories(), args.positionals);
    } finally {
      mirror.release(first);
    }
    const log = options.log && new AccessLogFile({ path: options.log.path, output, onTrouble: (message) => warn(message, 'access log') });
    const access = new Access({ mirror, tokens, names: args.positionals, onTrouble: warn, signal });
    const warnOfNames = () => {
      for (const name of access.strangeNames)
        warn(
          `the token file names "${displayText(name)}", but no repository is called that: the line makes nothing private`,
          `token ${name}`,
        );
    };
    warnOfNames();
    const routing = { announced: options.announced, home: readIdentity(home)?.id ?? home.index };
    const hashes = new FileHashes(home.cache);
    const hot = new HotAnswers({ mirror, access, metrics, isLogged: options.log !== undefined });
    const app = serverOf({
      mirror,
      access,
      routing,
      metrics,
      status: statusSource(context, () => config),
      siblings,
      hashingTurn,
      hashes,
      hot,
      signal,
      onTrouble: warn,
    });
    await app.ready();
    const logged = log && options.log && { format: options.log.format, write: log.write, now };
    const mostFiles = mostOpenFiles();
    const connections = mostConnections(mostFiles);
    if (connections <= FEW_CONNECTIONS)
      warn(
        `no more than ${connections} connections at once, because this process may have only ${mostFiles} files open; \`ulimit -n 4096\` allows more in this shell`,
        'open files',
      );
    const listeners = options.places.map(
      () =>
        new Listener({
          handle: (request, response) => {
            if (logged !== undefined) logAnswer(logged, request, response);
            if (passes(request, response)) {
              // Answered above where nothing is logged, except what comes by HTTP/2.
              if (hot.answer(request, response)) return;
              app.routing(request, response);
            } else metrics.answered('other', request.method ?? '', response.statusCode, 0, 0);
          },
          answer: logged === undefined ? (request, response) => hot.answer(request, response) : () => false,
          certificate,
          mostConnections: connections,
          onIncident: (kind) => metrics.incident(kind),
        }),
    );
    metrics.connections = () => listeners.reduce((sum, { connections }) => sum + connections, 0);
    onReload(() => {
      const renew = (what: () => void) => {
        try {
          what();
        } catch (error) {
          warn(`${messageOf(error)}; what was read before still counts`, messageOf(error));
        }
      };
      renew(() => {
        access.renewTokens(options.readTokens());
        warnOfNames();
      });
      renew(() => {
        const renewed = options.readCertificate();
        if (renewed !== undefined) for (const listener of listeners) listener.renew(renewed);
      });
      renew(() => log?.reopen());
      void mirror.renew();
    });
    try {
      const urls: string[] = [];
      for (const [at, listener] of listeners.entries()) urls.push(await listener.listen(options.places[at] as never));
      onReady(urls);
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      await Promise.all(listeners.map((listener) => listener.drain(DRAIN_MS)));
      await app.close();
      hashes.close();
      log?.close();
    }
  } finally {
    await mirror.close();
  }
}

/** As many as the process may have open, and no more than it has memory for: each takes about 10 KB. */
function mostConnections(mostFiles: number | undefined): number {
  // Not Linux: what the system refuses, it refuses.
  if (mostFiles === undefined) return process.platform === 'win32' ? MOST_CONNECTIONS : MOST_CONNECTIONS / 16;
  return Math.max(Math.min(FEW_CONNECTIONS, Math.floor(mostFiles / 4)), Math.min(MOST_CONNECTIONS, mostFiles - OTHER_FILES));
}
