package dev.halftone.cli;

import dev.halftone.InputException;
import dev.halftone.config.Nearest;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/// Says in one sentence what is wrong with a command line, and in another how to mend it.
final class Usage {
    private Usage() {}

    static InputException mistake(ParameterException e) {
        CommandLine command = e.getCommandLine();
        String help = "See `%s --help`.".formatted(command.getCommandSpec().qualifiedName());
        if (e instanceof UnmatchedArgumentException unmatched
                && !unmatched.getUnmatched().isEmpty()) {
            String word = unmatched.getUnmatched().getFirst();
            return new InputException(unmatched(command, word) + " " + help, e);
        }
        String message = String.valueOf(e.getMessage()).lines().findFirst().orElse("The command line is wrong");
        return new InputException(message.endsWith(".") ? message + " " + help : message + ". " + help, e);
    }

    private static String unmatched(CommandLine command, String word) {
        if (word.startsWith("-")) {
            List<String> options = new ArrayList<>();
            command.getCommandSpec().options().forEach(o -> options.addAll(List.of(o.names())));
            return "there is no option '%s'.%s".formatted(word, Nearest.hint(word, options));
        }
        if (!command.getSubcommands().isEmpty()) {
            if (Registry.find(word).isPresent()) {
                return "'%s' is a recipe: `halftone run %s --config …`.".formatted(word, word);
            }
            return "there is no command '%s'.%s"
                    .formatted(word, Nearest.hint(word, command.getSubcommands().keySet()));
        }
        return "'%s' is one argument too many.".formatted(word);
    }
}
