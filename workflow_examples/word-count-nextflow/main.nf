#!/usr/bin/env nextflow

// Count how often each word occurs in a text, the most frequent first.

process SPLIT {
    // Write each word of a text on a line of its own: tr takes the set of what is not a letter, and squeezes each run of
    // it into one line end.
    tag "${text.baseName}"

    input:
    // In a folder, lest a text called words.txt be in its own result's way.
    path text, stageAs: 'text/*'

    output:
    path 'words.txt'

    script:
    """
    export LC_ALL=C
    tr --complement --squeeze-repeats A-Za-z '\\n' <${text} >words.txt
    """
}

process COUNT {
    // Count equal lines, the most frequent first.
    tag "${words.name}"
    publishDir params.outdir, mode: 'copy'

    input:
    path words

    output:
    path 'counts.txt'

    script:
    """
    export LC_ALL=C
    tr A-Z a-z <${words} | sort | uniq --count | sort --key=1,1nr --key=2,2 >counts.txt
    """
}

workflow {
    if (!params.text) {
        error 'Which text? Give it as --text FILE'
    }
    SPLIT(file(params.text, checkIfExists: true, glob: false))
    COUNT(SPLIT.out)
}
