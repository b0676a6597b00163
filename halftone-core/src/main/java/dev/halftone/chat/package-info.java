/// Conversations as a model was taught to read them.
///
/// Start at [ChatTemplate#load]: it finds a model's template and turns [Message]s into the text to tokenize.
/// Templates are programs in Jinja, which [dev.halftone.chat.jinja] interprets.
@NullMarked
package dev.halftone.chat;

import org.jspecify.annotations.NullMarked;
