import { dnf } from '../../testing/package-tools/tools/dnf.ts';
import { trialsOf } from '../../testing/package-tools/trials-of.ts';

trialsOf(dnf);
