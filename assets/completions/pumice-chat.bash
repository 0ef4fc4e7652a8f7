# Completion of pumice-chat for bash.
_pumice_chat() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options
    COMPREPLY=()
    case '':$before in
    :-m)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    :--device | :--devices | :--ctx | :--scale)
        :
        return
        ;;
    :--kv)
        mapfile -t COMPREPLY < <(compgen -W 'f16 q8_0' -- "$word")
        return
        ;;
    :--theme)
        mapfile -t COMPREPLY < <(compgen -W 'auto light dark contrast' -- "$word")
        return
        ;;
    esac
    case '' in
    '') options='-m --device --devices --ctx --kv --theme --scale --speak --version --help' ;;
    *) return ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
    fi
}
complete -F _pumice_chat pumice-chat
