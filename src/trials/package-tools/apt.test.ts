import { apt } from '../../testing/package-tools/tools/apt.ts';
import { trialsOf } from '../../testing/package-tools/trials-of.ts';

trialsOf(apt);
