import { pip } from '../../testing/package-tools/tools/pip.ts';
import { trialsOf } from '../../testing/package-tools/trials-of.ts';

trialsOf(pip);
