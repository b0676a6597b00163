/// The command line: a verb a file, all of them listed in [Main].
///
/// Only this package prints and exits. Results go to standard output, everything else to standard error; the exit
/// status is 0 when done, 1 after a failure on the way, 2 for wrong usage or configuration. What the verbs do lies in
/// the packages below: a verb reads its arguments, calls, and shows.
@NullMarked
package dev.halftone.cli;

import org.jspecify.annotations.NullMarked;
