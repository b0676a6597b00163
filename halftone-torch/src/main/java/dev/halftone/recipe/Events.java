package dev.halftone.recipe;

import java.util.List;

/// What a recipe tells while it works, and how it is asked to stop. Recipes print nothing: a command line, a
/// notebook or a test listens. All calls come from the thread that runs the recipe.
public interface Events {
    /// Listens to nothing.
    Events NONE = new Events() {};

    /// How far a task is.
    ///
    /// @param task what is done, such as `training`
    /// @param done of `total` units, such as steps
    /// @param note the latest figure, such as `loss 2.31`; may be empty
    record Progress(String task, long done, long total, String note) {}

    /// Figures side by side, each row as long as the header.
    record Table(List<String> header, List<List<String>> rows) {}

    /// A sentence worth telling.
    default void line(String sentence) {}

    default void progress(Progress progress) {}

    default void table(Table table) {}

    /// A table that is no result, but worth a look on the way.
    default void aside(Table table) {}

    /// A piece of the text that a model is writing, as it comes.
    default void text(String piece) {}

    /// Asked after each training step: whether to save a checkpoint and end, because somebody pressed Ctrl-C. The
    /// recipe then throws a [dev.halftone.RunException] that says how to go on.
    default boolean stopRequested() {
        return false;
    }
}
