/** What file systems, servers and desktops put into a directory by themselves: nobody's files, and no reason to refuse the place. */

const FOREIGN =
  /^(?:lost\+found|\.DS_Store|\._.*|Thumbs\.db|desktop\.ini|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+|\.Trash-\d+|\.Trashes|\.Spotlight-V100|\.fseventsd|\.snapshots?|\.zfs|@eaDir|#recycle|System Volume Information|\$RECYCLE\.BIN)$/i;

export function isForeign(name: string): boolean {
  return FOREIGN.test(name);
}
