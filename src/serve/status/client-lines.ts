/** Lines that people copy to read a repository with their package tool, or by IPFS. `docs/package-managers.md` has the same, tested with the tools. */
import { shellWord } from '../../core/display.ts';
import { encodeName } from '../paths/address.ts';
import type { RepositoryState } from './home-state.ts';

export interface ClientLines {
  readonly title: string;
  /** The file into which they go; undefined for commands. */
  readonly file?: string;
  readonly lines: readonly string[];
}

/** @param origin of the server, such as `http://mirror:8080` */
export function clientLines({ name, head, kind }: Pick<RepositoryState, 'name' | 'head' | 'kind'>, origin: string): ClientLines[] {
  const address = `${origin}${encodeName(name, undefined)}`;
  const bare = address.replace(/\/$/, '');
  return [
    ...toolLines(name, kind, address, bare),
    {
      title: 'IPFS',
      // The shards first: Kubo fetches their blocks side by side, and those of a tree one after the other.
      lines: [
        `ipfs pin add --progress /ipfs/${head.cid}/shards`,
        `ipfs pin add --progress /ipfs/${head.tree}`,
        `ipfs get -o ${shellWord(`./${name}`)} /ipfs/${head.tree}`,
      ],
    },
    { title: 'rclone', lines: [`rclone copy --http-url ${shellWord(address)} :http: ${shellWord(`./${name}`)}`] },
  ];
}

function toolLines(
  name: string,
  { tool, suite = 'stable', components = [] }: RepositoryState['kind'],
  address: string,
  bare: string,
): ClientLines[] {
  const id =
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '') || 'mirror';
  switch (tool) {
    case 'apt':
      return [
        {
          title: 'apt',
          file: `/etc/apt/sources.list.d/${id}.list`,
          lines: [`deb [signed-by=/etc/apt/keyrings/${id}.gpg] ${bare} ${suite} ${components.join(' ') || 'main'}`],
        },
      ];
    case 'dnf':
      return [
        {
          title: 'dnf',
          file: `/etc/yum.repos.d/${id}.repo`,
          lines: [`[${id}]`, `name=${id}`, `baseurl=${address}`, 'gpgcheck=1', `gpgkey=file:///etc/pki/rpm-gpg/${id}.asc`],
        },
      ];
    case 'npm':
      return [{ title: 'npm', lines: [`npm config set registry ${shellWord(address)}`] }];
    case 'pip':
      return [{ title: 'pip', lines: [`pip config set global.index-url ${shellWord(`${address}simple/`)}`] }];
    case 'go':
      return [{ title: 'go', lines: [`go env -w GOPROXY=${shellWord(bare)}`] }];
    case 'cargo':
      return [
        {
          title: 'cargo',
          file: '~/.cargo/config.toml',
          lines: ['[source.crates-io]', 'replace-with = "mirror"', '', '[source.mirror]', `registry = "sparse+${address}index/"`],
        },
      ];
    case 'maven':
      return [
        {
          title: 'Maven',
          file: '~/.m2/settings.xml',
          lines: [
            '<settings><mirrors><mirror>',
            `  <id>${id}</id><mirrorOf>central</mirrorOf>`,
            `  <url>${address.replaceAll('&', '&amp;')}</url>`,
            '</mirror></mirrors></settings>',
          ],
        },
      ];
    default:
      return [];
  }
}
