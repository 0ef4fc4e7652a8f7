# Completion of pumice for bash.
_pumice() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'run chat devices info tokenize detokenize logits doctor bench --help --version' -- "$word")
        return
    fi
    case ${COMP_WORDS[1]}:$before in
    run:-m | run:-f | chat:-m | tokenize:-m | detokenize:-m | logits:-m | logits:--tokens | logits:-o | doctor:--report | bench:-m)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    run:--device | run:--devices | run:--ctx | run:-n | run:-p | run:--system | run:--temp | run:--top-k | run:--top-p | run:--min-p | run:--repeat-penalty | run:--presence-penalty | run:--frequency-penalty | run:--penalty-last-n | run:--seed | run:--stop | chat:--device | chat:--devices | chat:--ctx | chat:-n | chat:--system | chat:--temp | chat:--top-k | chat:--top-p | chat:--min-p | chat:--repeat-penalty | chat:--presence-penalty | chat:--frequency-penalty | chat:--penalty-last-n | chat:--seed | chat:--stop | devices:--devices | info:--device | info:--devices | info:--ctx | logits:--device | logits:--devices | logits:--ctx | logits:--chunk | doctor:--device | doctor:--devices | doctor:--type | bench:--device | bench:--devices | bench:-n | bench:-p | bench:-d | bench:-r | bench:--shape | bench:--type)
        :
        return
        ;;
    run:--kv | chat:--kv | info:--kv | logits:--kv | bench:--kv)
        mapfile -t COMPREPLY < <(compgen -W 'f16 q8_0' -- "$word")
        return
        ;;
    bench:--path)
        mapfile -t COMPREPLY < <(compgen -W 'gpu host' -- "$word")
        return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    run) options='-m --device --devices --ctx --kv -n -p -f --echo --chat --system --temp --top-k --top-p --min-p --repeat-penalty --presence-penalty --frequency-penalty --penalty-last-n --seed --stop --no-tune --help' ;;
    chat) options='-m --device --devices --ctx --kv -n --system --temp --top-k --top-p --min-p --repeat-penalty --presence-penalty --frequency-penalty --penalty-last-n --seed --stop --no-tune --help' ;;
    devices) options='--devices --json --help' ;;
    info) options='--device --devices --ctx --kv --json --help' ;;
    tokenize) options='-m --no-bos --special --help' ;;
    detokenize) options='-m --special --help' ;;
    logits) options='-m --device --devices --ctx --kv --tokens -o --chunk --no-tune --help' ;;
    doctor) options='--device --devices --type --full --compile --report --json --help' ;;
    bench) options='-m --device --devices --kv -n -p -d -r --shape --type --path --host-only --ops --no-tune --json --help' ;;
    *) return ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
    fi
}
complete -F _pumice pumice
