rule reduce:
    """Turn one bin of raw photometry into lightcurves."""
    input:
        manifest="{project}/manifests/{obs}_photometry_{bin}.jsonl",
    output:
        reduced="{project}/{obs}_photometry_{bin}_reduced.h5",
    log:
        "{project}/logs/reduce/{obs}_{bin}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(500, 1500, reduced_epochs),
        runtime=growing(1, 2, epochs),
    params:
        raw=lambda wildcards: PLAN.raw_file(wildcards.obs, wildcards.bin),
        stage=stage("reduce"),
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" reduce {params.raw} {input.manifest} {output.reduced}'
        " --params {params.stage:q} --log {log}"
