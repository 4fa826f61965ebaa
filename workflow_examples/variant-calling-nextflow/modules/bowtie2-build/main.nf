// Build a Bowtie 2 index: a folder with files named reference.*.bt2.
process BOWTIE2_BUILD {
    tag "${reference.name}"
    label 'threaded'
    conda "${moduleDir}/environment.yml"

    input:
    path reference

    output:
    path 'index', emit: index

    script:
    """
    mkdir index
    bowtie2-build --quiet --threads ${task.cpus} ${reference} index/reference
    """
}
