/// The recipes, callable from Java as from the command line.
///
/// A recipe takes its configuration record and [dev.halftone.recipe.Events], to which it reports: nothing in this
/// package prints or exits.
@NullMarked
package dev.halftone.recipe;

import org.jspecify.annotations.NullMarked;
