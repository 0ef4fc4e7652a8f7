# Completion of pumice-chat for fish.
complete -c pumice-chat -s m -r -F -d 'the model, also without -m; default: the default model'
complete -c pumice-chat -l device -x -d 'by index or part of the name; default: the fastest that is not a CPU driver'
complete -c pumice-chat -l ctx -x -d 'context length; default: min(the model\'s, 4096); 0: as much as fits'
complete -c pumice-chat -l kv -x -a 'f16 q8_0' -d 'how keys and values are kept; q8_0: half the memory, a little less accurate; default f16'
complete -c pumice-chat -l theme -x -a 'light dark' -d 'the colours; default light'
complete -c pumice-chat -l scale -x -d 'size of everything, 0.5 to 5; default 1'
complete -c pumice-chat -l version -d 'print the version'
complete -c pumice-chat -l help -d 'print this'
