/** Names that file systems, servers and desktops put into any directory by themselves: a directory with nothing else in it counts as empty. */

const FOREIGN =
  /^(?:lost\+found|\.DS_Store|\._.*|Thumbs\.db|desktop\.ini|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+|\.Trash-\d+|\.Trashes|\.Spotlight-V100|\.fseventsd|\.snapshots?|\.zfs|@eaDir|#recycle|System Volume Information|\$RECYCLE\.BIN)$/i;

export function isForeign(name: string): boolean {
  return FOREIGN.test(name);
}
