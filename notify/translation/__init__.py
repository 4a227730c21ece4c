"""The words in other languages: engines that translate, and the checks on what they say.

`engine` is what an engine is, `argos` the one that runs installed Argos packages, `machine` turns a whole
text into a draft, `splitting`, `markup` and `masking` are its tools, `facts` compares a translation with its
source, and `codes` knows which language stands in for which.

Importing any of these is cheap: models and their libraries are loaded when the first sentence comes.
"""
