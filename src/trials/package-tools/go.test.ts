import { go } from '../../testing/package-tools/tools/go.ts';
import { trialsOf } from '../../testing/package-tools/trials-of.ts';

trialsOf(go);
