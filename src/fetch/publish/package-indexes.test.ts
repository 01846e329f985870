import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rankOf } from './package-indexes.ts';

/** Of each kind of repository: files, each of which is named by all of the next step. */
const CHAINS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  debian: [
    ['pool/main/a/apt_1.0.deb', 'debian/pool/main/i/index/index_1.orig.tar.xz', 'pool/main/d/dists/dists_1.dsc'],
    ['dists/stable/main/binary-amd64/Packages.xz', 'dists/stable/main/source/Sources.gz', 'dists/stable/main/by-hash/SHA256/00ff'],
    ['debian/dists/stable/Release', 'dists/stable/Release.gpg'],
    ['dists/stable/InRelease'],
  ],
  flat: [['a_1.0.deb', 'b_1.tar.gz'], ['Packages.gz', 'Sources'], ['Release'], ['InRelease']],
  rpm: [['Packages/a-1.rpm'], ['el9/repodata/0a1b-primary.xml.gz'], ['el9/repodata/repomd.xml', 'repodata/repomd.xml.asc']],
  urpmi: [['media/a-1.rpm'], ['media/media_info/synthesis.hdlist.cz']],
  aptRpm: [['RPMS.classic/a-1.rpm'], ['base/pkglist.classic.xz', 'base/srclist.classic'], ['base/release.classic', 'base/release']],
  arch: [
    ['core/os/x86_64/pacman-6.pkg.tar.zst', 'core/os/x86_64/pacman-6.pkg.tar.zst.sig'],
    ['core/os/x86_64/core.db.tar.gz', 'core/os/x86_64/core.db', 'core.files.tar.gz'],
  ],
  alpine: [['v3.20/main/x86_64/a-1.apk'], ['v3.20/main/x86_64/APKINDEX.tar.gz']],
  opkg: [
    ['packages/x/a.ipk', 'packages/x/a-1.apk'],
    ['packages/x/Packages.gz', 'packages/x/Packages.manifest', 'packages/x/packages.adb', 'Packages.sig'],
  ],
  void: [['current/a-1.x86_64.xbps', 'current/a-1.x86_64.xbps.sig2'], ['current/x86_64-repodata']],
  freebsd: [['All/a-1.pkg', 'All/Hashed/a-1~00.pkg'], ['packagesite.pkg', 'data.pkg', 'packagesite.txz'], ['meta.conf']],
  slackware: [
    ['slackware64/a/a-1.txz'],
    ['PACKAGES.TXT', 'PACKAGES.TXT.gz', 'CHECKSUMS.md5', 'CHECKSUMS.md5.asc', 'slackware64/MANIFEST.bz2'],
  ],
  nix: [['nar/00ff.nar.xz'], ['00ff.narinfo']],
  flatpak: [['objects/00/ff.filez'], ['refs/heads/app/a', 'summary', 'summary.sig']],
  git: [['objects/00/ff'], ['info/refs', 'packed-refs', 'refs/heads/main']],
  pypi: [
    ['packages/ab/cd/x-1.0.whl', 'simple/flask/flask-1.0.whl', 'simple/flask/flask-1.0.whl.metadata'],
    ['simple/flask/index.html', 'simple/flask/index.v1_json'],
  ],
  npm: [['left-pad/-/left-pad-1.0.0.tgz'], ['left-pad/index.json', 'left-pad/package.json']],
  composer: [['dist/a/b/00ff.zip'], ['p2/a/b.json', 'p2/a/b~dev.json', 'p/a/b$00ff.json'], ['packages.json']],
  go: [
    ['github.com/a/b/@v/v1.0.0.zip', 'github.com/a/b/@v/v1.0.0.info'],
    ['github.com/a/b/@v/list', 'github.com/a/b/@latest'],
  ],
  cargo: [['crates/serde/serde-1.0.0.crate'], ['index/se/rd/serde', 'index/config.json', 'crates.io-index/se/rd/serde']],
  rubygems: [
    ['gems/rack-1.0.gem'],
    ['quick/Marshal.4.8/rack-1.0.gemspec.rz', 'info/rack'],
    ['specs.4.8.gz', 'latest_specs.4.8', 'prerelease_specs.4.8.gz', 'versions', 'names'],
  ],
  maven: [
    ['org/acme/lib/1/lib-1.jar', 'org/acme/lib/1/lib-1.pom'],
    ['org/acme/lib/maven-metadata.xml', 'org/acme/lib/maven-metadata.xml.sha1'],
  ],
  eclipse: [['plugins/a_1.jar'], ['content.jar', 'artifacts.xml.xz', 'compositeContent.xml'], ['p2.index']],
  conda: [
    ['noarch/a-1.conda', 'noarch/a-1.tar.bz2'],
    [
      'noarch/repodata.json.zst',
      'noarch/current_repodata.json',
      'noarch/repodata_shards.msgpack.zst',
      'noarch/repodata_from_packages.json',
    ],
    ['channeldata.json'],
  ],
  helm: [['a-1.tgz', 'a-1.tgz.prov'], ['index.yaml']],
  cran: [
    ['src/contrib/a_1.tar.gz'],
    ['src/contrib/PACKAGES', 'src/contrib/PACKAGES.gz', 'src/contrib/PACKAGES.rds', 'VIEWS'],
    ['src/contrib/Meta/archive.rds'],
  ],
  cpan: [
    ['authors/id/A/AB/ABC/X-1.tar.gz'],
    ['modules/02packages.details.txt.gz', 'authors/01mailrc.txt.gz', 'authors/id/A/AB/ABC/CHECKSUMS'],
  ],
  hackage: [['package/a-1/a-1.tar.gz'], ['00-index.tar.gz', '01-index.tar'], ['snapshot.json'], ['timestamp.json']],
  emacs: [['a-1.tar'], ['archive-contents', 'archive-contents.sig']],
  texlive: [['archive/a.tar.xz'], ['tlpkg/texlive.tlpdb.xz', 'tlpkg/texlive.tlpdb.sha512.asc']],
  lua: [
    ['a-1-1.src.rock', 'a-1-1.rockspec'],
    ['manifest', 'manifest-5.4.zip'],
  ],
  opam: [['archives/a.tar.gz', 'packages/a/a.1/opam'], ['index.tar.gz']],
  jenkins: [['plugins/a/1/a.hpi'], ['update-center.json']],
  images: [
    ['debian-12.iso', 'disk.qcow2'],
    ['SHA256SUMS', 'SHA512SUMS.sign.gpg', 'ls-lR.gz'],
  ],
};

test('of each kind of repository, what is named comes before what names it', () => {
  for (const [kind, steps] of Object.entries(CHAINS)) {
    for (const [at, naming] of steps.entries()) {
      for (const named of steps.slice(0, at).flat())
        for (const one of naming) assert.ok(rankOf(named) < rankOf(one), `${kind}: ${named} before ${one}`);
    }
  }
});

test('a directory that is deleted whole goes with the indexes when it is all index', () => {
  assert.ok(rankOf('dists/') > rankOf('pool/'));
  assert.equal(rankOf('dists'), rankOf('pool'), 'a file of that name is a file like others');
});
